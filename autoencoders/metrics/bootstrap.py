"""95 % intervals of means over images, by the bootstrap: how far another draw of images may be.

The studentised bootstrap (Efron and Tibshirani 1993, "An introduction to the bootstrap", 12.5):
images are drawn with replacement, and the mean of each draw is measured in units of the standard
error of the same draw. Errors of images are skewed, and the plain percentile interval then misses
the truth too often, on small sets by far; tests/arrays/test_bootstrap.py has the coverage.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

LEVEL = 0.95
"""How often an interval should hold the true value."""
FEWEST = 20
"""Images from which on there is an interval; of fewer, the draws say too little."""
SIZE = 1 << 21
"""Numbers per batch of draws: memory does not grow with the draws."""


def mean_intervals(scores: Scores, times: int, rng: np.random.Generator) -> Scores:
    """Compute an interval for the mean of each column.

    Args:
        scores: float64 (n, k): n images, k scores of each.
        times: How many draws. The same for all columns, and for every call with the same n and a
            generator in the same state, so that methods are compared on the same draws.
        rng: Source of randomness.

    Returns:
        float64 (2, k): low and high ends, within the scores seen; NaN for a column with NaN, and
        for fewer than `FEWEST` images.
    """
    count, mean = len(scores), scores.mean(axis=0)
    if count < FEWEST:
        return np.full((2, scores.shape[1]), np.nan)
    centred = scores - mean  # so that the squares do not cancel
    shift, squares = np.split(_draws(np.hstack([centred, centred**2]), times, rng), 2, axis=1)
    error = np.sqrt(centred.var(axis=0) / count)
    errors = np.sqrt(np.maximum(squares - shift**2, 0) / count)  # (times, k)
    return _studentised(mean, error, shift, errors).clip(scores.min(axis=0), scores.max(axis=0))


def log_ratio_intervals(
    scores: Scores, others: Scores, times: int, rng: np.random.Generator
) -> Scores:
    """Compute an interval for the logarithm of the ratio of two means, column by column.

    Args:
        scores: float64 (n, k), at least 0: n images, k scores of each.
        others: Scores of the same images by something else, of the same shape.
        times: How many draws; see `mean_intervals`.
        rng: Source of randomness.

    Returns:
        float64 (2, k): low and high ends of ln(mean of scores / mean of others); NaN where a mean
        is 0 or NaN, and for fewer than `FEWEST` images.
    """
    count, (above, below) = len(scores), (scores.mean(axis=0), others.mean(axis=0))
    if count < FEWEST:
        return np.full((2, scores.shape[1]), np.nan)
    one, two = scores - above, others - below
    columns = [one, two, one**2, two**2, one * two]
    shifts = np.split(_draws(np.hstack(columns), times, rng), len(columns), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log((above + shifts[0]) / (below + shifts[1]))  # (times, k)
        ratio = np.log(above / below)
        error = _ratio_error(above, below, [column.mean(axis=0) for column in columns], count)
        errors = _ratio_error(above + shifts[0], below + shifts[1], shifts, count)
    return _studentised(ratio, error, ratios - ratio, errors)


def _draws(columns: Scores, times: int, rng: np.random.Generator) -> Scores:
    """Return the mean of each column over each draw of as many rows, (times, columns)."""
    counts = _counts(len(columns), times, rng)
    return np.concatenate([count @ columns for count in counts]) / len(columns)


def _counts(rows: int, times: int, rng: np.random.Generator) -> Iterator[Scores]:
    """Yield how often each draw has each row, (m, rows), until there were `times` draws."""
    batch = max(1, SIZE // rows)
    for start in range(0, times, batch):
        number = min(batch, times - start)
        drawn = rng.integers(rows, size=(number, rows))
        drawn += rows * np.arange(number)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=number * rows)
        yield counts.reshape(number, rows).astype(np.float64)


def _ratio_error(above: Scores, below: Scores, moments: list[Scores], count: int) -> Scores:
    """Return the standard error of the logarithm of a ratio of means, by the delta method."""
    one, two, one_squared, two_squared, product = moments
    variance = (one_squared - one**2) / above**2 + (two_squared - two**2) / below**2
    variance -= 2 * (product - one * two) / (above * below)
    return np.sqrt(np.maximum(variance, 0) / count)


def _studentised(value: Scores, error: Scores, shift: Scores, errors: Scores) -> Scores:
    """Turn draws into an interval.

    Args:
        value: (k,) what was found.
        error: (k,) its standard errors.
        shift: (times, k) how far each draw is from it.
        errors: (times, k) the standard errors of the draws.

    Returns:
        (2, k) low and high ends.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        # A draw of equal scores has no error; it is infinitely far, or exact
        distances = np.where(shift == 0, 0, shift / errors)
        ends = [(1 + LEVEL) / 2, (1 - LEVEL) / 2]
        low, high = np.quantile(distances, ends, axis=0, method="nearest")  # inf stays inf
        interval = value - np.stack([low, high]) * error
    return np.where(error == 0, value, interval)
