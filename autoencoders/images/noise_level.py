"""How much noise images have, and whether it is what a network has learned to remove."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Corrupt = Callable[[Images, float, np.random.Generator], Images]

LEVELS = tuple(np.linspace(0, 1, 21).tolist())
"""Strengths of noise that images are compared with."""


def noise_estimate(images: Images) -> float:
    """Estimate the standard deviation of white noise in images of which nothing else is known.

    The mean absolute answer of a filter that is blind to constant and linear changes, after
    J. Immerkær, Fast noise variance estimation, Computer Vision and Image Understanding 64 (1996).
    Edges make it too large, and clipping to black and white too small: compare estimates with each
    other rather than with a true value; see `noise_level`.

    Args:
        images: float32 (n, height, width, channels), at least 3 x 3 pixels.

    Returns:
        The estimate for all of them together, in units of the pixel range.
    """
    rows = images[:, :-2] - 2 * images[:, 1:-1] + images[:, 2:]  # (n, h - 2, w, c)
    answer = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(answer).mean(dtype=np.float64))


def noise_level(
    noisy: Sequence[Images], restored: Sequence[Images], corrupt: Corrupt, seed: int = 0
) -> float:
    """Find the strength of the noise with which restored images look like the noisy ones.

    Restored images that are corrupted as in training have the same edges as the noisy ones and are
    clipped in the same way, so what falsifies `noise_estimate` falsifies both alike.

    Args:
        noisy: Images, float32 (h, w, c) each in [0, 1], of any sizes from 3 x 3.
        restored: The same images without noise.
        corrupt: The noise of the training: takes float32 (n, h, w, c), its strength and a
            generator.
        seed: Of the noise that is drawn to compare.

    Returns:
        The strength, from 0 to 1, to within a few hundredths where the restored images are good.
    """
    wanted = _mean_estimate(noisy)
    found = []
    for level in LEVELS:
        rng = np.random.default_rng(seed)
        found.append(_mean_estimate([corrupt(one[None], level, rng)[0] for one in restored]))
    rising = np.maximum.accumulate(found)  # the more noise, the more of it is seen
    return float(np.interp(wanted, rising + 1e-9 * np.arange(len(LEVELS)), LEVELS))


def _mean_estimate(images: Sequence[Images]) -> float:
    return float(np.mean([noise_estimate(one[None]) for one in images]))
