"""PSNR as the literature on denoising takes it: of images that were rounded to bytes."""

import numpy as np
from numpy.typing import NDArray

from autoencoders.metrics.quality import Images, peak_signal_to_noise_ratio


def rounded_psnr(clean: Images, restored: Images) -> NDArray[np.float64]:
    """Clip and round restored images to bytes, and compute the PSNR of each.

    Args:
        clean: float32, shape (n, height, width, channels), pixels in [0, 1].
        restored: The same shape; pixels of any size.

    Returns:
        float64 (n,), in dB, from 0 to 58.9.

    Raises:
        ValueError: If the shapes differ.
    """
    rounded = np.rint(np.clip(restored, 0, 1) * 255) / 255
    return peak_signal_to_noise_ratio(clean, rounded.astype(np.float32))
