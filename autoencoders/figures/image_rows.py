"""Images in rows: the same image in the same column, as each row's method shows it."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Images = NDArray[np.float32]

CELL = 0.85
"""Inches per side of a shown image."""
LETTER = 0.086
"""Inches per letter of the title, about: a figure of one image must still hold it."""


def image_rows(rows: Mapping[str, Images | Sequence[Images]], *, title: str) -> Figure:
    """Show images in labelled rows.

    Args:
        rows: For each row's label, float32 (n, height, width, channels) in [0, 1], or n images of
            several sizes; as a rule with the same n, a row with fewer ends in empty places.
        title: Heading of the figure.

    Returns:
        A figure with one row of images per label.
    """
    count = max(len(images) for images in rows.values())
    width = max(CELL * count + 1.2, LETTER * len(title))
    figure = Figure(figsize=(width, CELL * len(rows) + 0.5), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(len(rows), count, squeeze=False)
    for line, (label, images) in zip(panels, rows.items(), strict=True):
        for axes, image in zip(line, images, strict=False):
            _show(axes, image)
        for axes in line[len(images) :]:
            axes.axis("off")
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


def _show(axes: Axes, image: Images) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    # matplotlib draws 3 channels as RGB and 4 as RGBA; of 2 it draws none, so the first is shown
    picture = image[:, :, 0] if image.shape[2] in (1, 2) else image
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
