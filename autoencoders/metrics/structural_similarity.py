"""The structural similarity index; a module of its own, since it alone needs TensorFlow."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from autoencoders.metrics.quality import Images, check_shapes

WINDOW = 11
"""Pixels per side of the Gaussian window."""


def structural_similarity(clean: Images, restored: Images) -> NDArray[np.float64]:
    """Compute the structural similarity (SSIM) of each image.

    The index of Wang, Bovik, Sheikh and Simoncelli (2004), "Image quality assessment: from error
    visibility to structural similarity": Gaussian window of 11 x 11 with sigma 1.5, K1 0.01, K2
    0.03, averaged over the windows that lie wholly inside the image, and over channels.

    Args:
        clean: float32, shape (n, height, width, channels), pixels in [0, 1].
        restored: The same shape and range.

    Returns:
        float64 (n,), from -1 to 1; NaN if a side of the images is shorter than the window.

    Raises:
        ValueError: If the shapes differ.
    """
    check_shapes(clean, restored)
    if min(clean.shape[1:3]) < WINDOW:
        return np.full(len(clean), np.nan)
    scores = tf.image.ssim(clean, restored, max_val=1.0).numpy()  # (n,), float32
    return np.asarray(scores.astype(np.float64))
