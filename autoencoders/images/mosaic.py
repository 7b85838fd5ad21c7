"""Several images side by side in one."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
GAP = 204
"""Grey between the images, which shows where black and white ones end."""


def mosaic(images: Pixels, columns: int) -> Pixels:
    """Lay images out in rows, with a line of grey around each.

    Args:
        images: uint8 (n, height, width, channels), n at least 1; of 2 channels the first is shown,
            of 4 the first three.
        columns: Images per row.

    Returns:
        uint8 (rows * (height + 1) + 1, columns * (width + 1) + 1, 3); places without an image are
        grey.
    """
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    laid = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, 3), GAP, np.uint8)
    for index, image in enumerate(images):
        top, left = (height + 1) * (index // columns) + 1, (width + 1) * (index % columns) + 1
        laid[top : top + height, left : left + width] = in_colour(image)
    return laid


def in_colour(image: Pixels) -> Pixels:
    """Return what is shown of an image, uint8 (h, w, c), as red, green and blue: (h, w, 3)."""
    shown = image[:, :, :3] if image.shape[2] > 2 else image[:, :, :1]
    return np.broadcast_to(shown, (*image.shape[:2], 3))


def reduced(images: Pixels, width: int) -> Pixels:
    """Make images smaller that are wider than `width`, keeping their proportions.

    Args:
        images: uint8 (n, h, w, channels).
        width: Most pixels per row.

    Returns:
        uint8 (n, h', w', 3), each pixel the mean of those that it stands for.
    """
    shown = [in_colour(image) for image in images]
    if images.shape[2] > width:
        size = (width, max(1, round(images.shape[1] * width / images.shape[2])))
        shown = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(one)).resize(size, Image.Resampling.BOX)
            )
            for one in shown
        ]
    return np.stack(shown)
