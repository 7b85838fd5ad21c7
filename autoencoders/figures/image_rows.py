"""Images in rows: the same image in the same column, as each row's method shows it."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Images = NDArray[np.float32]

CELL = 0.85
"""Inches per side of a shown image."""
LETTER = 0.086
"""Inches per letter of the title, about: a figure of one image must still hold it."""
MOST = 256
"""Pixels per side of an image that can be seen at the size of a cell, with some to spare."""
GAP = 0.1
"""Room between images, in units of their width."""
GROUND = 0.85
"""Grey around images: on white, one could not see where a white image ends."""


def image_rows(rows: Mapping[str, Images | Sequence[Images]], *, title: str) -> Figure:
    """Show images in labelled rows.

    Args:
        rows: For each row's label, float32 (n, height, width, channels) in [0, 1], or n images of
            several sizes; as a rule with the same n, a row with fewer ends in empty places, one
            without any is left out.
        title: Heading of the figure.

    Returns:
        A figure with one row of images per label.
    """
    shown = {label: list(map(thinned, images)) for label, images in rows.items() if len(images)}
    count = max(len(images) for images in shown.values())
    sizes = [image.shape[:2] for images in shown.values() for image in images]
    height, width = np.max(sizes, axis=0)
    gap = max(1, round(GAP * width))
    picture, tops = stacked(
        [beside(images, count, gap, (height, width)) for images in shown.values()], gap
    )
    inches = CELL / width * (1 - GAP)  # per pixel
    size = inches * picture.shape[1] + 1.2, inches * picture.shape[0] + 0.5
    figure = Figure(figsize=(max(size[0], LETTER * len(title)), size[1]), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots()
    # One picture, since a panel per image would take seconds
    axes.imshow(picture, interpolation="nearest")
    bottom, right = picture.shape[0] + gap - 0.5, picture.shape[1] + gap - 0.5
    axes.set(facecolor=str(GROUND), xlim=(-gap - 0.5, right), ylim=(bottom, -gap - 0.5))
    axes.set_xticks([])
    axes.set_yticks(np.array(tops) + (height - 1) / 2, list(shown))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def thinned(image: Images) -> Images:
    """Leave out rows and columns of an image (h, w, c) that has more than can be seen here."""
    step = -(-max(image.shape[:2]) // MOST)
    return image[::step, ::step]


def beside(
    images: Images | Sequence[Images], count: int, gap: int, size: tuple[int, int]
) -> Images:
    """Lay images side by side.

    Args:
        images: float32 (h, w, c) each, in [0, 1].
        count: Places; those behind the last image stay empty.
        gap: Columns between two of them.
        size: Height and width of a place; smaller images are enlarged by a whole number.

    Returns:
        float32 (height, all widths, 3).
    """
    height, width = size
    laid = np.full((height, count * (width + gap) - gap, 3), GROUND, np.float32)
    for index, image in enumerate(images):
        factor = min(height // image.shape[0], width // image.shape[1])
        large = in_colour(image).repeat(factor, axis=0).repeat(factor, axis=1)
        top, left = (height - large.shape[0]) // 2, (width - large.shape[1]) // 2
        left += index * (width + gap)
        laid[top : top + large.shape[0], left : left + large.shape[1]] = large
    return laid


def stacked(lines: Sequence[Images], gap: int) -> tuple[Images, list[int]]:
    """Lay pictures of one width below each other.

    Args:
        lines: float32 (h, width, 3) each.
        gap: Rows between two of them.

    Returns:
        float32 (height, width, 3), and the row in which each line begins.
    """
    height, width, _ = lines[0].shape
    tops = [index * (height + gap) for index in range(len(lines))]
    laid = np.full((tops[-1] + height, width, 3), GROUND, np.float32)
    for top, line in zip(tops, lines, strict=True):
        laid[top : top + height] = line
    return laid, tops


def in_colour(image: Images) -> Images:
    """Return an image (h, w, c) as red, green and blue, (h, w, 3).

    Of 2 channels the first is shown, of 4 the first three.
    """
    shown = image[:, :, :3] if image.shape[2] > 2 else image[:, :, :1]
    return np.broadcast_to(shown, (*image.shape[:2], 3))
