"""Merge: tables of images from several places become one."""

from collections.abc import Iterable, Mapping

import numpy as np

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.errors import DataError
from tasks.formats.image_table import ImageTable, ImageTableWriter, Labels, read_image_table

ROWS = 4096
"""Images per step."""


@stage
def merge(output: Output, tables: Mapping[str, ArtifactRef]) -> None:
    """Write `images.parquet`: the images of all tables, one after the other.

    Args:
        output: Where it goes.
        tables: By where they are from, in the order in which they are written.

    Raises:
        DataError: If the images differ in shape, or some have labels and others have none.
    """
    output.require_space(sum(ref.size for ref in tables.values()))
    parts = {name: read_image_table(ref.path) for name, ref in tables.items()}
    _require_alike(parts)
    first = next(iter(parts.values()))
    classes = _classes(parts.values())
    width = int(np.prod(first.shape))
    target = output.folder / "images.parquet"
    with ImageTableWriter(target, width, labelled=first.labelled) as merged:
        for part in parts.values():
            for pixels, labels in part.batches(ROWS):
                merged.write(pixels, None if labels is None else _renamed(labels, part, classes))
        merged.finish(first.shape, classes)


def _require_alike(parts: Mapping[str, ImageTable]) -> None:
    (name, first), *others = parts.items()
    for other, part in others:
        if part.shape != first.shape:
            raise DataError(
                f"The images of {other} are {_size(part)}, but those of {name} are {_size(first)}. "
                "Expected the same shape everywhere.",
                f"Take {other} out, or give images of the same shape.",
            )
        if part.labelled != first.labelled:
            with_labels, without = (name, other) if first.labelled else (other, name)
            raise DataError(
                f"The images of {with_labels} have labels, those of {without} have none.",
                "Give labels for all of them, or for none (--reading.label none).",
            )
        if part.labelled and (part.classes is None) != (first.classes is None):
            raise DataError(
                f"The labels of {name} and {other} are words in one and numbers in the other.",
                "Give the same kind of labels everywhere.",
            )


def _size(part: ImageTable) -> str:
    return " x ".join(map(str, part.shape))


def _classes(parts: Iterable[ImageTable]) -> list[str] | None:
    """Return the names of all classes; None where the labels are numbers."""
    named = [part.classes for part in parts if part.classes is not None]
    return sorted({name for names in named for name in names}) if named else None


def _renamed(labels: Labels, part: ImageTable, classes: list[str] | None) -> Labels:
    """Return labels in which a number stands for the same class everywhere."""
    if part.classes is None or classes is None:
        return labels
    place = {name: number for number, name in enumerate(classes)}
    return np.array([place[name] for name in part.classes], np.uint32)[labels]
