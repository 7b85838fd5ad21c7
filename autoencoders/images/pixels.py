"""From rows of byte pixels to images, and back."""

import numpy as np
from numpy.typing import NDArray


def to_images(pixels: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Reshape flattened byte images and scale them to [0, 1].

    Args:
        pixels: uint8, shape (n, height * width * channels), rows in C order.
        shape: (height, width, channels).

    Returns:
        float32, shape (n, height, width, channels), pixels in [0, 1]: byte / 255, once.

    Raises:
        ValueError: If the pixels are not bytes (dividing by 255 a second time would go
            unnoticed), or a row does not hold exactly one image.
    """
    if pixels.dtype != np.uint8:
        raise ValueError(f"`pixels` must be uint8, not yet scaled. Received: {pixels.dtype}")
    if pixels.shape[1] != np.prod(shape):
        raise ValueError(f"`pixels` must have {np.prod(shape)} columns for images of {shape}. "
                         f"Received: {pixels.shape[1]}")  # fmt: skip
    # The dtype is given to the division itself: no float64 copy of all pixels is made on the way
    return np.divide(pixels, 255, dtype=np.float32).reshape(-1, *shape)  # (n, h, w, c)


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the bytes that `to_images` has made images of.

    Args:
        images: float32, shape (n, height, width, channels), pixels in [0, 1].

    Returns:
        uint8, shape (n, height * width * channels), rows in C order.
    """
    scaled = np.rint(images.reshape(len(images), -1) * np.float32(255))
    pixels: NDArray[np.uint8] = scaled.astype(np.uint8)
    return pixels
