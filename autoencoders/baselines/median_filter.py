"""The median filter: every pixel becomes the median of its surroundings."""

import numpy as np
from numpy.typing import NDArray
from skimage.filters import median

from autoencoders.baselines.calibration import Images, Learned, Pairs, calibrated, to_range

STRENGTHS = (1, 3, 5, 7)
"""Sides of the window in pixels."""


def fit(
    pairs: Pairs, noise_factor: float | None, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Choose the window of least error; see the package."""
    return calibrated(restore, STRENGTHS, pairs)


def restore(images: Images, learned: Learned) -> Images:
    """Take medians in each image and channel; an image continues with its outermost pixels."""
    side = int(learned["strength"])
    medians = median(images, np.ones((1, side, side, 1)), mode="nearest", behavior="ndimage")
    return to_range(medians, images.shape)
