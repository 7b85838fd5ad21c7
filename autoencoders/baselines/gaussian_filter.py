"""The Gaussian filter: every pixel becomes an average of its surroundings."""

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian

from autoencoders.baselines.calibration import Images, Learned, Pairs, calibrated, to_range

STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)
"""Standard deviations in pixels."""


def fit(
    pairs: Pairs, noise_factor: float | None, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Choose the width of least error; see the package."""
    return calibrated(restore, STRENGTHS, pairs)


def restore(images: Images, learned: Learned) -> Images:
    """Blur each image and channel; beyond the edge an image continues with its outermost pixels."""
    width = float(learned["strength"])
    blurred = gaussian(images, sigma=(0, width, width, 0), mode="nearest", channel_axis=None)
    return to_range(blurred, images.shape)
