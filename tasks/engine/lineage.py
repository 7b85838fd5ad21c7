"""Which step of a run read what, from the manifests: digests of inputs against digests of files."""

import re
from collections.abc import Mapping

from .handles import ArtifactRef
from .journal import RunRecord
from .store import Store

FAILED = "Failed"
EARLIER = ("earlier", "an earlier run")
"""Where a file is from that neither the user nor this run has made."""


def lineage(store: Store, record: RunRecord, data: Mapping[str, ArtifactRef]) -> str:
    """Return the lineage of a run in Markdown: a table and a Mermaid drawing.

    Args:
        store: Where the manifests are.
        record: The run.
        data: The user's files, by role.
    """
    rows = ["| step | reads |", "| --- | --- |"]
    boxes, arrows = [], []
    made_by: dict[str, tuple[str, str]] = {}  # sha256 -> (box that made it, what it is called)
    for role, ref in sorted(data.items()):
        boxes.append(f'  {role}[("{ref.path.name}")]')
        made_by[ref.sha256] = (role, f"`{ref.path.name}`")
    for step in record.steps:
        if step.state == FAILED:  # it has made nothing, and its flow went on without it
            continue
        manifest = store.manifest(step.stage, step.key)
        box = re.sub(r"\W+", "_", step.step)
        digests = manifest.parts.inputs.values()
        sources = dict.fromkeys(made_by.get(digest, EARLIER) for digest in digests)
        if EARLIER in sources:
            boxes.append(f'  {EARLIER[0]}[("{EARLIER[1]}")]')
        rows.append(f"| {step.step} | {', '.join(name for _, name in sources)} |")
        boxes.append(f'  {box}["{step.step}"]')
        arrows += [f"  {source} --> {box}" for source in dict.fromkeys(box for box, _ in sources)]
        for name, entry in manifest.files.items():
            made_by.setdefault(entry.sha256, (box, f"`{name}` of {step.step}"))
    drawing = ["```mermaid", "flowchart LR", *dict.fromkeys([*boxes, *arrows]), "```"]
    return "\n".join([*dict.fromkeys(rows), "", *drawing, ""])
