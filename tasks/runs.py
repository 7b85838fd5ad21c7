"""The folder of a run: links to what its stages published, and what people read first."""

import base64
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.journal import RunRecord, read_record, unfinished_runs
from tasks.store import ArtifactRef, Store, StoreError, explained, sync, to_json

LATEST = "latest"
SYSTEMS = {
    "noisy": "the noisy test images as they are",
    "autoencoder": "clean in, compared with clean",
    "denoiser": "noisy in, compared with clean",
}
"""What the metrics are of."""


@dataclass(frozen=True)
class Results:
    """What a run has to show."""

    record: RunRecord
    data: Mapping[str, ArtifactRef]
    """The user's files, by role."""
    files: Mapping[str, ArtifactRef]
    """By its place in the run's folder, the file of an artifact that is linked there."""
    metrics: Mapping[str, Any]


def publish_run(store: Store, results: Results) -> Path:
    """Write the run's folder, all at once, and point `latest` at it.

    `manifest.json`, `settings.json` and `summary.md` say what was computed and are the same bytes
    whenever the run is repeated; `run.json` says when, and what was cached.
    """
    name = results.record.name
    texts = {
        "settings.json": to_json(results.record.settings.model_dump(mode="json")),
        "manifest.json": to_json(_manifest(results)),
        "run.json": results.record.model_dump_json(indent=1).encode(),
        "summary.md": (
            summary(results) + _figures(results) + "\n" + lineage(store, results)
        ).encode(),
    }
    with explained(store.root):
        final = store.root / "runs" / name
        for folder in (final.parent, store.root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="run-", dir=store.root / "tmp") as draft:
            folder = Path(draft) / name
            folder.mkdir()
            for text, content in texts.items():
                (folder / text).write_bytes(content)
                sync(folder / text)
            for place, ref in results.files.items():
                link = folder / place
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(os.path.relpath(ref.path, (final / place).parent))
            sync(folder)
            folder.rename(final)
            sync(final.parent)
            pointer = Path(draft) / LATEST
            pointer.symlink_to(final.relative_to(store.root))
            pointer.replace(store.root / LATEST)
            sync(store.root)
    return final


def finished_runs(store: Store) -> list[RunRecord]:
    """Return the records of all finished runs, oldest first.

    Raises:
        StoreError: If a record was damaged.
    """
    return [read_record(path) for path in sorted((store.root / "runs").glob("*/run.json"))]


def all_runs(store: Store) -> list[RunRecord]:
    """Return every run of which there is a record, oldest first."""
    return sorted([*finished_runs(store), *unfinished_runs(store)], key=lambda record: record.name)


def find_run(store: Store, name: str) -> RunRecord:
    """Find a finished run by its name, the end of its name, or `latest`.

    Raises:
        StoreError: If there is none, or more than one.
    """
    runs = finished_runs(store)
    if name == LATEST:
        name = (store.root / LATEST).resolve().name
    found = [run for run in runs if run.name == name] or [
        run for run in runs if run.name.endswith(f"-{name}")
    ]
    if len(found) != 1:
        raise StoreError(
            f"{name}: {'no finished run' if not found else 'more than one run'} of this name. "
            f"There are: {', '.join(run.name for run in runs) or 'none'}."
        )
    return found[0]


def run_metrics(store: Store, record: RunRecord) -> dict[str, Any]:
    """Read the metrics of a finished run.

    Raises:
        StoreError: If they are gone or were changed.
    """
    for step in record.steps:
        if step.stage == "evaluate":
            return read_metrics(store.find(step.stage, step.key)["metrics.json"])
    raise StoreError(f"{record.name}: this run has no metrics.")


def read_metrics(ref: ArtifactRef) -> dict[str, Any]:
    """Read the metrics that `evaluate` wrote.

    Raises:
        StoreError: If the file was changed.
    """
    metrics: dict[str, Any] = json.loads(ref.checked().read_bytes())
    return metrics


def metrics_table(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the metrics as rows of text: one a system."""
    return [
        {
            "system": system,
            "what": told,
            "MSE": f"{metrics[system]['mse']:.5f}",
            "PSNR (dB)": f"{metrics[system]['psnr']:.2f}",
            "SSIM": "-" if metrics[system]["ssim"] is None else f"{metrics[system]['ssim']:.4f}",
        }
        for system, told in SYSTEMS.items()
    ]


def summary(results: Results) -> str:
    """Return the run in Markdown: metrics, what was run, on what."""
    settings = results.record.settings
    fresh = " (new in every epoch of the denoiser)" if settings.denoiser.fresh_noise else ""
    rows = metrics_table(results.metrics)
    lines = [
        "# Autoencoder and denoiser: results on the test images",
        "",
        "| " + " | ".join(rows[0]) + " |",
        "| --- | --- | ---: | ---: | ---: |",
        *("| " + " | ".join(row.values()) + " |" for row in rows),
        "",
        f"{results.metrics['images']:,} test images of {settings.image.height} x "
        f"{settings.image.width} x {settings.image.channels}, noise factor "
        f"{settings.noise.factor:g}{fresh}, {settings.training.epochs} epochs, batch "
        f"{settings.training.batch_size}, seed {settings.seed}.",
        "",
        "PSNR is that of the mean MSE. `metrics.json` also has the mean of the images' own PSNR; "
        "`per_image.parquet` has every image, `per_class.csv` every class.",
        "",
        "Inputs, by content:",
        "",
        *(
            f"- {role}: sha256 `{ref.sha256[:16]}…`, {ref.size:,} bytes"
            for role, ref in sorted(results.data.items())
        ),
        "",
    ]
    return "\n".join(lines)


def lineage(store: Store, results: Results) -> str:
    """Return in Markdown which files each step of the run read: a table and a mermaid drawing."""
    rows = ["| step | read |", "| --- | --- |"]
    boxes, arrows = [], []
    made_by: dict[str, tuple[str, str]] = {}
    for role, ref in sorted(results.data.items()):
        boxes.append(f'  {role}[("{ref.path.name}")]')
        made_by[ref.sha256] = (role, f"`{ref.path.name}`")
    for step in results.record.steps:
        manifest = store.manifest(step.stage, step.key)
        node = step.step.replace(" ", "_")
        sources = dict.fromkeys(made_by[digest] for digest in manifest.parts.inputs.values())
        rows.append(f"| {step.step} | {', '.join(name for _, name in sources)} |")
        boxes.append(f'  {node}["{step.step}"]')
        arrows += [f"  {source} --> {node}" for source in dict.fromkeys(box for box, _ in sources)]
        for name, entry in manifest.files.items():
            made_by.setdefault(entry.sha256, (node, f"`{name}` of {step.step}"))
    drawing = ["```mermaid", "flowchart LR", *boxes, *arrows, "```"]
    return "\n".join([*rows, "", *drawing, ""])


def _figures(results: Results) -> str:
    """Return the figures in Markdown, as they stand beside the summary."""
    names = [name for name in sorted(results.files) if name.endswith(".png")]
    return "".join(f"\n![{Path(name).stem.replace('_', ' ')}]({name})\n" for name in names)


def embedded(figures: Iterable[ArtifactRef]) -> str:
    """Return PNG files in Markdown that needs no files beside it."""
    return "".join(
        f"\n![{ref.path.stem.replace('_', ' ')}](data:image/png;base64,"
        f"{base64.b64encode(ref.path.read_bytes()).decode()})\n"
        for ref in figures
    )


def _manifest(results: Results) -> dict[str, Any]:
    return {
        "inputs": _contents(results.data),
        "steps": {
            step.step: {"stage": step.stage, "key": step.key} for step in results.record.steps
        },
        "files": _contents(results.files),
    }


def _contents(refs: Mapping[str, ArtifactRef]) -> dict[str, Any]:
    return {name: {"sha256": ref.sha256, "size": ref.size} for name, ref in refs.items()}
