"""Salt-and-pepper noise: some pixels turn black or white, the others stay as they are."""

import numpy as np
from numpy.typing import NDArray


def add_salt_and_pepper(
    images: NDArray[np.float32], noise_factor: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Replace randomly chosen pixels by black (0) or white (1), with equal probability.

    A pixel is replaced as a whole: all its channels become 0, or all become 1.

    Args:
        images: float32, shape (n, height, width, channels), pixels in [0, 1].
        noise_factor: Share of replaced pixels, in [0, 1]: the probability for each pixel.
        rng: Source of randomness. Noise drawn batch by batch equals noise drawn in one piece.

    Returns:
        A new float32 array of the same shape, pixels in [0, 1].

    Raises:
        ValueError: If `noise_factor` or a pixel lies outside [0, 1].
    """
    if not 0 <= noise_factor <= 1:
        raise ValueError(
            f"`noise_factor` must lie in [0, 1], as a share of pixels. Received: {noise_factor}"
        )
    # Written so that NaN, which compares as false, is refused too
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"`images` must lie in [0, 1]. Received: min={images.min()}, max={images.max()}"
        )
    # Exactly one number per pixel, whatever the factor, so that batches do not matter; it decides
    # both whether a pixel is replaced and by what. float64, to hit small shares exactly
    drawn = rng.random(images.shape[:3])  # (n, h, w), in [0, 1)
    noisy = images.copy()
    noisy[drawn < noise_factor] = 1  # a mask of pixels selects all channels of each
    noisy[drawn < noise_factor / 2] = 0
    return noisy
