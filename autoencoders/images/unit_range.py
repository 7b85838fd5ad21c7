"""Values of a file as images in [0, 1], and such images as values of the same file again."""

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.layout import along_rows, by_pixel
from autoencoders.images.meaning import Meaning

Values = NDArray[np.generic]
Images = NDArray[np.float32]


def to_unit_range(values: Values, meaning: Meaning) -> Images:
    """Scale values to [0, 1], without rounding them to bytes.

    Args:
        values: (n, height * width * channels) of any real dtype, as the file has them.
        meaning: What they mean.

    Returns:
        float32 (n, height, width, channels); what lies outside of the range is black or white.
    """
    used = meaning.range
    if used.wrapped:
        values = values.astype(np.int64) & 255
    scaled = (values.astype(np.float64) - used.black) / (used.white - used.black)
    ordered: Values = np.clip(scaled, 0, 1).astype(np.float32)
    if meaning.planes:
        ordered = by_pixel(ordered, meaning.shape)
    if meaning.transposed:
        ordered = along_rows(ordered, meaning.shape)
    return ordered.astype(np.float32, copy=False).reshape(-1, *meaning.shape)


def from_unit_range(images: Images, meaning: Meaning, *, whole: bool) -> NDArray[np.float64]:
    """Undo `to_unit_range`.

    Args:
        images: float32 (n, height, width, channels) in [0, 1].
        meaning: What values of the file mean.
        whole: Whether they are whole numbers.

    Returns:
        float64 (n, height * width * channels), from black to white, in the order of the file.
    """
    used = meaning.range
    height, width, channels = meaning.shape
    ordered = images
    if meaning.transposed:
        ordered = ordered.transpose(0, 2, 1, 3)  # (n, w, h, c)
    if meaning.planes:  # undone last, as it was done first, when the planes were h x w
        ordered = ordered.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    flat = ordered.reshape(len(images), -1).astype(np.float64)
    values = used.black + flat * (used.white - used.black)
    if whole:
        np.rint(values, out=values)
    if used.wrapped:
        values[values > 127] -= 256
    return values
