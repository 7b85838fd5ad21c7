"""The contact sheet: the first images of train and test with their labels."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.half_blocks import half_blocks
from autoencoders.images.mosaic import mosaic, reduced
from tasks.drawing import drawing_defaults
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.image_table import read_image_table

IN_TERMINAL = 16
"""Characters that an image takes in a terminal, at most."""


@stage
def draw_contact_sheet(
    output: Output, tables: Mapping[str, ArtifactRef], images: int, columns: int = 0
) -> None:
    """Write `contact_sheet.png`, and `contact_sheet.txt` for a terminal.

    Args:
        output: Where they go.
        tables: By split, the images and labels as `ingest` writes them.
        images: How many images of each are shown, from the first on.
        columns: Characters that a line of the terminal has; 0 writes no text.
    """
    first = {split: _first(ref, images) for split, ref in tables.items()}
    pixels = {split: one for split, (one, _) in first.items()}
    with drawing_defaults():
        from autoencoders.figures.contact_sheet import contact_sheet

        figure = contact_sheet(pixels, {split: labels for split, (_, labels) in first.items()})
        # No version of matplotlib in the file: equal figures are equal bytes
        figure.savefig(output.folder / "contact_sheet.png", dpi=150, metadata={"Software": None})
    if columns:
        text = "\n".join(f"{split}\n{_in_blocks(one, columns)}" for split, one in pixels.items())
        (output.folder / "contact_sheet.txt").write_text(f"{text}\n", encoding="utf-8")


def _first(ref: ArtifactRef, images: int) -> tuple[NDArray[np.uint8], list[str] | None]:
    """Return the first images, uint8 (n, h, w, c), and what their labels are called."""
    table = read_image_table(ref.path)
    pixels, labels = next(table.batches(images))
    shaped = pixels.reshape(-1, *table.shape)
    if labels is None:
        return shaped, None
    names = table.classes
    return shaped, [str(label) if names is None else names[label] for label in labels.tolist()]


def _in_blocks(images: NDArray[np.uint8], columns: int) -> str:
    """Draw one row of images, as many as fit."""
    small = reduced(images, min(IN_TERMINAL, columns - 2))
    count = max(1, min(len(small), (columns - 1) // (small.shape[2] + 1)))
    return half_blocks(mosaic(small[:count], count))
