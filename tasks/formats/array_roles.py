"""Which of the arrays in an archive are images and which are their labels, by names and sizes."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.formats.errors import DataError

SPLITS = {
    "train": re.compile(r"(^|[^a-z])(train|training|trn|tr)([^a-z]|$)"),
    "test": re.compile(r"(^|[^a-z])(test|testing|tst|te|t10k)([^a-z]|$)"),
    "validation": re.compile(r"(^|[^a-z])(val|valid|validation|dev)([^a-z]|$)"),
}
LABELS = re.compile(r"(^|[^a-z])(y|labels?|lbls?|targets?|class(es)?|t)([^a-z]|$)")
IDENTITIES = re.compile(r"(^|[^a-z])(ids?|idx|index|indices|filenames?)([^a-z]|$)")
"""Names of arrays that count images, or say where they are from."""
ADVICE = (
    "Save it with names that say so: np.savez({name!r}, x_train=..., y_train=..., x_test=..., "
    "y_test=...), the labels only if there are some."
)
Known = tuple[tuple[int, ...], np.dtype[Any]]
"""Dimensions and type of an array."""


@dataclass(frozen=True)
class Roles:
    """The arrays of one split."""

    images: str
    labels: str | None
    warnings: tuple[str, ...] = ()


def find_roles(path: Path, arrays: dict[str, Known]) -> dict[str, Roles]:
    """Say which arrays are the images and labels of which split.

    Args:
        path: The archive.
        arrays: Dimensions and type of each array, by name.

    Returns:
        `train` and `test`, or `data` alone.

    Raises:
        DataError: If names and sizes leave it open.
    """
    splits: dict[str, dict[str, list[str]]] = {}
    for name, known in arrays.items():
        if role := _role(name, known):
            splits.setdefault(_split(name), {"images": [], "labels": []})[role].append(name)
    with_images = {split: found for split, found in splits.items() if found["images"]}
    if set(with_images) >= {"train", "test"}:
        chosen = ["train", "test"]
    elif set(with_images) == {"train", "validation"} or len(with_images) == 1:
        chosen = sorted(with_images)  # validation, where there is no test, is the test
    else:
        raise _unclear(path, arrays)
    left = sorted(set(with_images) - set(chosen))
    left_out = tuple(name for split in left for name in with_images[split]["images"])
    warnings = (f"Arrays that are left out: {', '.join(left_out)}.",) if left_out else ()
    roles = [_roles(path, arrays, with_images[split], warnings) for split in chosen]
    return dict(zip(("train", "test") if len(roles) == 2 else ("data",), roles, strict=True))


def _roles(
    path: Path, arrays: dict[str, Known], found: dict[str, list[str]], warnings: tuple[str, ...]
) -> Roles:
    images, labels = found["images"], found["labels"]
    if len(images) > 1 or len(labels) > 1:
        raise _unclear(path, arrays)
    return Roles(images[0], labels[0] if labels else None, warnings)


def _split(name: str) -> str:
    # camelCase and x_train alike
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return next((split for split, pattern in SPLITS.items() if pattern.search(words)), "data")


def _role(name: str, known: Known) -> str:
    """Return "images", "labels", or nothing for what is neither."""
    dimensions, dtype = known
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if len(dimensions) == 1 and IDENTITIES.search(words) and not LABELS.search(words):
        return ""
    if len(dimensions) in (1, 2) and (LABELS.search(words) or len(dimensions) == 1):
        return "labels" if LABELS.search(words) or dtype.kind in "buifSU" else ""
    return "images" if len(dimensions) >= 2 and dtype.kind in "buifO" else ""


def _unclear(path: Path, arrays: dict[str, Known]) -> DataError:
    shown = [
        f"{name} ({' x '.join(f'{size:,}' for size in dimensions) or 'one value'}, {dtype})"
        for name, (dimensions, dtype) in list(arrays.items())[:12]
    ]
    return DataError(
        f"{path}: which of its arrays are images, and which labels? It has {', '.join(shown)}"
        f"{', …' if len(arrays) > 12 else ''}.",
        ADVICE.format(name=path.name),
    )
