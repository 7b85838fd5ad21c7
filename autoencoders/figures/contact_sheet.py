"""The first images of each split with their labels: what was recognised, to look at."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoencoders.images.mosaic import mosaic

COLUMNS = 10
"""Images per row."""
CELL = 0.72
"""Inches per image, labels included."""
LONGEST = 9
"""Characters of a label that fit above an image."""


def contact_sheet(
    images: Mapping[str, NDArray[np.uint8]], labels: Mapping[str, Sequence[str] | None]
) -> Figure:
    """Show images as they were recognised.

    Args:
        images: For each split, uint8 (n, height, width, channels), n at least 1; all of one shape.
        labels: For each split, what stands above each image; None leaves it out.

    Returns:
        A figure with one panel per split.
    """
    height, width = next(iter(images.values())).shape[1:3]
    rows = [-(-len(one) // COLUMNS) for one in images.values()]
    tall = min(4.0, max(0.25, height / width)) + 0.3  # of a row, in cells; 0.3 for its labels
    figure = Figure(
        figsize=(COLUMNS * CELL, sum(rows) * tall * CELL + 0.35 * len(rows)), layout="constrained"
    )
    panels = figure.subplots(len(rows), squeeze=False, height_ratios=rows)[:, 0]
    for axes, (split, some) in zip(panels, images.items(), strict=True):
        axes.set_title(split, loc="left", fontsize=9, pad=4)
        _show(axes, some, labels.get(split))
    return figure


def _show(axes: Axes, images: NDArray[np.uint8], labels: Sequence[str] | None) -> None:
    _, height, width, _ = images.shape
    every = len(images)
    space = max(1, round(0.3 * width)) if labels is not None else 0  # rows of pixels for labels
    lines = range(0, every, COLUMNS)
    for line in lines:
        shown = mosaic(images[line : line + COLUMNS], COLUMNS)
        top = (line // COLUMNS) * (shown.shape[0] + space)
        axes.imshow(shown, interpolation="nearest",
                    extent=(0, shown.shape[1], top + shown.shape[0], top))  # fmt: skip
        for index, label in enumerate((labels or [])[line : line + COLUMNS]):
            text = label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"
            axes.text((width + 1) * (index + 0.5), top - 0.03 * width, _plain(text),
                      ha="center", va="bottom", fontsize=7)  # fmt: skip
    axes.set_xlim(0, COLUMNS * (width + 1) + 1)
    axes.set_ylim(len(lines) * (height + 2 + space) - space, -space)
    axes.axis("off")


def _plain(text: str) -> str:
    """Return a text that matplotlib sets as it is: a pair of dollars would be mathematics."""
    return text.replace("$", r"\$")
