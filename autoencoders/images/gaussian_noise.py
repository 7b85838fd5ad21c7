"""White Gaussian noise. A new corruption is a new module with a function of the same signature."""

import numpy as np
from numpy.typing import NDArray


def add_gaussian_noise(
    images: NDArray[np.float32], noise_factor: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add white Gaussian noise and clip back to the valid pixel range.

    Args:
        images: float32, shape (n, height, width, channels), pixels in [0, 1].
        noise_factor: Standard deviation of the noise in units of the pixel range.
        rng: Source of randomness. Noise drawn batch by batch equals noise drawn in one piece.

    Returns:
        A new float32 array of the same shape, pixels in [0, 1].

    Raises:
        ValueError: If `noise_factor` is negative or a pixel lies outside [0, 1].
    """
    if noise_factor < 0:
        raise ValueError(f"`noise_factor` must not be negative. Received: {noise_factor}")
    # Written so that NaN, which compares as false, is refused too
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"`images` must lie in [0, 1]. Received: min={images.min()}, max={images.max()}"
        )
    # In place from here on: a batch takes the memory of one array, not of four
    noisy = rng.standard_normal(images.shape, dtype=np.float32)  # (n, h, w, c)
    noisy *= np.float32(noise_factor)
    noisy += images
    return np.clip(noisy, 0, 1, out=noisy)
