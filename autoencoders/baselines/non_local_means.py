"""Non-local means: every pixel becomes an average of those with similar surroundings."""

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means

from autoencoders.baselines.calibration import Images, Learned, Pairs, calibrated, to_range

STRENGTHS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Cut-off distances between grey levels, in units of the pixel range."""


def fit(
    pairs: Pairs, noise_factor: float | None, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Choose the cut-off distance of least error; see the package."""
    return calibrated(restore, STRENGTHS, pairs)


def restore(images: Images, learned: Learned) -> Images:
    """Average over places within 6 pixels whose surroundings of 5 x 5 are alike."""
    means = [
        denoise_nl_means(
            image, patch_size=5, patch_distance=6, h=float(learned["strength"]), fast_mode=True,
            channel_axis=-1,
        )
        for image in images
    ]  # fmt: skip
    return to_range(np.stack(means), images.shape)
