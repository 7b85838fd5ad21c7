"""White Gaussian noise that may leave the pixel range, as in the literature on denoising."""

import numpy as np
from numpy.typing import NDArray


def add_unclipped_gaussian_noise(
    images: NDArray[np.float32], noise_factor: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add white Gaussian noise and leave it at that.

    Args:
        images: float32, shape (n, height, width, channels), pixels in [0, 1].
        noise_factor: Standard deviation of the noise in units of the pixel range.
        rng: Source of randomness. A generator in the same state gives the noise that
            `add_gaussian_noise` clips.

    Returns:
        A new float32 array of the same shape, with pixels of any size.

    Raises:
        ValueError: If `noise_factor` is negative.
    """
    if noise_factor < 0:
        raise ValueError(f"`noise_factor` must not be negative. Received: {noise_factor}")
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return images + np.float32(noise_factor) * noise
