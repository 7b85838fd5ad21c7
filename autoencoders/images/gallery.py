"""Some test images for a page, at many levels of noise: which ones, and how they are shown."""

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.mosaic import reduced
from autoencoders.randomness import generator

SIDE = 64
"""Pixels along the longer side of an image; larger ones are reduced."""
SIZE = 700_000
"""Bytes of one method's images at all levels: a page that holds some is sent on by mail."""
MOST, FEWEST = 8, 3
"""Images at each level."""


def gallery_rows(shape: tuple[int, ...], levels: int) -> NDArray[np.int64]:
    """Return which images are shown, in their order: of the same test images always the same.

    They are drawn by chance, since files may be sorted by class.

    Args:
        shape: Of all test images, (n, h, w, c).
        levels: At how many levels of noise they are shown.
    """
    count, height, _, channels = shape
    width = _width(shape)
    pixels = width * max(1, round(height * width / shape[2])) * (1 if channels < 3 else 3)
    fitting = SIZE // (levels * pixels)
    most = max(FEWEST, min(MOST, fitting))
    return np.sort(generator(0, "gallery").permutation(count)[:most])


def as_shown(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return images as pages show them.

    Args:
        images: float32 (n, h, w, c); what is outside of [0, 1] is clipped.

    Returns:
        uint8 (n, h', w', 3), no side longer than `SIDE`.
    """
    pixels = np.rint(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    return reduced(pixels, _width(images.shape))


def _width(shape: tuple[int, ...]) -> int:
    _, height, width, _ = shape
    return max(1, round(width * min(1, SIDE / max(height, width))))
