"""What came of points: mean and spread over seeds, which is best, which are worth their cost."""

import math
import statistics
from collections.abc import Sequence


def psnr_of(loss: float) -> float:
    """Return the PSNR, in dB, of a mean squared error above 0 of pixels in [0, 1]."""
    return -10 * math.log10(loss)


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean, and the sample standard deviation; None of a single value."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return statistics.fmean(values), spread


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Return which points no other one beats: none costs no more and gains no less.

    Args:
        costs: What each point costs; less is better.
        gains: What each point gains; more is better.

    Returns:
        Their places, the cheapest first; of points that are equal in both, the first one.
    """
    order = sorted(range(len(costs)), key=lambda one: (costs[one], -gains[one], one))
    front: list[int] = []
    for one in order:
        if not front or gains[one] > gains[front[-1]]:
            front.append(one)
    return front


def not_told_apart(means: Sequence[float], spreads: Sequence[float | None], best: int) -> list[int]:
    """Return which points differ from the best one by no more than seeds do.

    Args:
        means: The mean of each point over seeds; more is better.
        spreads: The standard deviation of each over seeds; None of a single seed.
        best: The place of the best one.

    Returns:
        The places of the others whose mean is less than a standard deviation, the larger one of the
        two, below that of the best.
    """
    ours = spreads[best]
    return [
        place
        for place, (mean, spread) in enumerate(zip(means, spreads, strict=True))
        if place != best and None not in (ours, spread)
        and means[best] - mean < max(ours or 0, spread or 0)
    ]  # fmt: skip
