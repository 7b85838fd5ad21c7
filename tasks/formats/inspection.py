"""What was recognised in the user's files, as `inspection.json` says it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoencoders.images.findings import Contents, Finding
from autoencoders.images.meaning import Decision, Meaning
from autoencoders.images.survey import Traits
from tasks.formats.image_set import ImageSet

MOST_CLASSES = 100
"""Classes whose images are counted one by one."""


def inspection(
    sets: Mapping[str, ImageSet],
    contents: Mapping[str, Contents],
    meaning: Meaning,
    values: Traits,
    rounding: float,
    classes: list[str] | None,
    decisions: Sequence[Decision],
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Return what was recognised, why, and what is odd, as JSON values.

    It names no file: equal files under other names are inspected alike.
    """
    used, of_files = meaning.range, [*_of_files(sets)]
    splits = contents.items()
    return {
        "form": {name: one.images.form for name, one in sets.items()},
        "read": {name: sum(len(contents[split].prints) for split in (
            contents if name == "data" else (name,))) for name in sets},
        "images": {split: len(one.prints) for split, one in splits},
        "copies": {split: len(one.prints) - len(np.unique(one.prints)) for split, one in splits},
        "shape": list(meaning.shape),
        "range": {
            "name": used.name, "black": used.black, "white": used.white,
            "smallest": values.smallest, "largest": values.largest, "whole": values.whole,
            "largest rounding error": round(rounding, 6),
        },
        "labels": _labels(contents, classes),
        "decisions": [one.__dict__ for one in decisions],
        "warnings": [one._asdict() for one in [*of_files, *findings]],
    }  # fmt: skip


def _of_files(sets: Mapping[str, ImageSet]) -> Sequence[Finding]:
    found: list[Finding] = []
    for name, one in sets.items():
        opened = [one.images] if one.noisy is None else [one.images, one.noisy]
        found += [Finding("file", text) for file in opened for text in file.warnings]
        if one.disagreements:
            found.append(Finding("two-labels", (
                f"{one.disagreements:,} labels beside the pixels of {name} differ from those in "
                "the file of labels, which are used. Remove the wrong ones."
            )))  # fmt: skip
    return [*dict.fromkeys(found)]  # of an archive, train and test have the same ones


def _labels(contents: Mapping[str, Contents], classes: list[str] | None) -> dict[str, Any]:
    """Return by split how many images each class has; of many classes, how many there are."""
    found: dict[str, Any] = {}
    for split, one in contents.items():
        if one.labels is None:
            found[split] = None
            continue
        kinds, counts = np.unique(one.labels, return_counts=True)
        names = [str(kind) if classes is None else classes[kind] for kind in kinds[:MOST_CLASSES]]
        shown = dict(zip(names, counts.tolist(), strict=False))
        found[split] = {"classes": len(kinds), "images": shown}
    return found
