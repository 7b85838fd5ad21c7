"""Total variation: the image with the smallest jumps that is still near the given one."""

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_tv_chambolle

from autoencoders.baselines.calibration import Images, Learned, Pairs, calibrated, to_range

STRENGTHS = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Weights of the total variation."""


def fit(
    pairs: Pairs, noise_factor: float | None, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Choose the weight of least error; see the package."""
    return calibrated(restore, STRENGTHS, pairs)


def restore(images: Images, learned: Learned) -> Images:
    """Minimise with the algorithm of Chambolle (2004), each channel of an image on its own."""
    weight = float(learned["strength"])
    found = [denoise_tv_chambolle(image, weight=weight, channel_axis=-1) for image in images]
    return to_range(np.stack(found), images.shape)
