"""Drift: whether numbers that describe images have another distribution than they had.

Two measures, since each is blind to something: the distance of Kolmogorov and Smirnov is the
largest difference of the two distribution functions, and the population stability index (PSI) sums
up changes anywhere, in the tails too. With many images both find the smallest change to be real, so
drift is what is both real and large.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, ks_2samp

Values = NDArray[np.float64]

BINS = 10
"""Into which the earlier values are divided for the PSI, of as many values each."""
CHANCE = 0.001
"""Probability below which a difference is taken for no accident."""


@dataclass(frozen=True)
class Drift:
    """How one measure of the data has changed."""

    measure: str
    before: float | None
    """Mean of the earlier values; None for classes."""
    now: float | None
    ks: float | None
    """Distance of Kolmogorov and Smirnov, from 0 to 1; None for classes."""
    psi: float
    drifted: bool


def of_values(measure: str, before: Values, now: Values, *, ks: float, psi: float) -> Drift:
    """Compare a number per image.

    Args:
        measure: What the number is.
        before: float64 (n,), n > 0; what is not finite counts as larger than all else.
        now: float64 (m,), m > 0.
        ks: Distance from which on it has drifted.
        psi: Index from which on it has drifted.
    """
    largest = np.finfo(np.float64).max
    one, two = (np.nan_to_num(values, nan=largest, posinf=largest) for values in (before, now))
    tested = ks_2samp(one, two, method="asymp")
    edges = np.unique(np.quantile(one, np.linspace(0, 1, BINS + 1)[1:-1]))
    counts = [np.bincount(np.searchsorted(edges, values, "left"), minlength=len(edges) + 1)
              for values in (one, two)]  # fmt: skip
    index, real = stability_index(counts[0], counts[1])
    far = tested.pvalue < CHANCE and tested.statistic > ks
    return Drift(
        measure, _mean(before), _mean(now), float(tested.statistic), index,
        bool(far or (real and index > psi)),
    )  # fmt: skip


def _mean(values: Values) -> float | None:
    mean = float(values.mean())
    return mean if np.isfinite(mean) else None


def of_classes(before: Mapping[str, int], now: Mapping[str, int], *, psi: float) -> Drift:
    """Compare how many images each class has; see `of_values`."""
    names = sorted({*before, *now})
    counts = [np.array([one.get(name, 0) for name in names]) for one in (before, now)]
    index, real = stability_index(counts[0], counts[1])
    return Drift("classes", None, None, None, index, bool(real and index > psi))


def stability_index(before: NDArray[np.int64], now: NDArray[np.int64]) -> tuple[float, bool]:
    """Compute the population stability index of counts by bin.

    The sum of (q - p) ln(q / p) over the bins, of the shares p before and q now. Half an image is
    added to each bin, without which an empty one would make it infinite.

    Args:
        before: int64 (bins,), not all 0.
        now: The same.

    Returns:
        The index, and whether it is larger than chance makes it: of samples of one distribution,
        it is about chi-squared distributed, in units of 1 / n + 1 / m (Yurdakul 2018, "Statistical
        properties of population stability index").
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (before, now))
    index = float(((q - p) * np.log(q / p)).sum())
    unit = 1 / before.sum() + 1 / now.sum()
    return index, bool(len(p) > 1 and index / unit > chi2.isf(CHANCE, len(p) - 1))
