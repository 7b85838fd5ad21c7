"""Whether one way of restoring images is better than another one, on the same images."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoencoders.metrics.bootstrap import log_ratio_intervals

Scores = NDArray[np.float64]
Verdict = Literal["better", "worse", "not told apart"]
TIMES = 2000
"""Draws of the images."""
DECIBELS = 10 / math.log(10)


@dataclass(frozen=True)
class Gain:
    """By how much the PSNR of the mean error is higher, in dB."""

    value: float
    low: float
    high: float
    """Ends of a 95 % interval over images; NaN where there are too few."""

    @property
    def verdict(self) -> Verdict:
        """What the interval says."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not told apart"


def paired_gain(mse: Scores, other: Scores, rng: np.random.Generator) -> Gain:
    """Compare the errors of the same images, image by image.

    Args:
        mse: float64 (n,): mean squared errors.
        other: Those of what it is compared with, for the same images in the same order.
        rng: Source of randomness.
    """
    low, high = log_ratio_intervals(mse[:, None], other[:, None], TIMES, rng)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.log(mse.mean() / other.mean()))
    return Gain(-DECIBELS * ratio, -DECIBELS * float(high), -DECIBELS * float(low))
