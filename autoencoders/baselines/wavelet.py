"""Wavelets: small coefficients of a multi-resolution transform are shrunk to nothing."""

import numpy as np
import pywt
from numpy.typing import NDArray
from skimage.restoration import denoise_wavelet

from autoencoders.baselines.calibration import Images, Learned, Pairs, calibrated, to_range

WAVELETS = ("sym4", "db1")
"""The symlet of four moments; for images smaller than it is, that of Haar."""
STRENGTHS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
"""Standard deviations of noise that are assumed, in units of the pixel range."""


def fit(
    pairs: Pairs, noise_factor: float | None, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Choose the assumed noise of least error; see the package."""
    return calibrated(restore, STRENGTHS, pairs)


def restore(images: Images, learned: Learned) -> Images:
    """Shrink as BayesShrink does (Chang, Yu and Vetterli 2000), each channel on its own."""
    deepest = {name: pywt.dwtn_max_level(images.shape[1:3], name) for name in WAVELETS}
    wavelet = next(name for name in WAVELETS if deepest[name] > 0)
    levels = min(deepest[wavelet], 3)
    found = [
        denoise_wavelet(
            image, sigma=float(learned["strength"]), wavelet=wavelet,
            wavelet_levels=levels, method="BayesShrink", mode="soft", channel_axis=-1,
        )
        for image in images
    ]  # fmt: skip
    return to_range(np.stack(found), images.shape)
