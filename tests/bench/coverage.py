"""How often 95 % intervals hold a truth that is known, beside plain percentiles of the draws."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoencoders.metrics.bootstrap import mean_intervals
from tests.bench.tools import Table

Scores = NDArray[np.float64]
KINDS: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], Scores], float]] = {
    "normal": (lambda rng, shape: rng.normal(0.1, 0.01, shape), 0.1),
    "lognormal, as errors of a denoiser": (
        lambda rng, shape: rng.lognormal(-4, 0.6, shape), float(np.exp(-4 + 0.18))
    ),
    "exponential": (lambda rng, shape: rng.exponential(0.02, shape), 0.02),
    "beta, as SSIM near 1": (lambda rng, shape: rng.beta(9, 1, shape), 0.9),
}  # fmt: skip
"""By what they are called, how scores are drawn, and their true mean."""
REPEATS = {20: 4000, 50: 4000, 200: 2000, 1000: 1000, 10_000: 300}
"""By number of images, how many test sets are drawn."""
TIMES = 500


def coverage(data: Path) -> Table:
    """Simulate test sets; `data` is not read."""
    rows = []
    for name, (draw, truth) in KINDS.items():
        for images, repeats in REPEATS.items():
            scores = draw(np.random.default_rng(images), (images, repeats))
            ours = mean_intervals(scores, TIMES, np.random.default_rng(1))
            plain = _percentiles(scores, np.random.default_rng(1))
            shares = [np.mean((low <= truth) & (truth <= high)) for low, high in (plain, ours)]
            rows.append([name, f"{images:,}", *(f"{share:.1%}" for share in shares)])
    return Table(
        "95 % intervals that hold the truth",
        f"Of {min(REPEATS.values()):,} to {max(REPEATS.values()):,} simulated test sets each, "
        f"intervals from {TIMES} draws of their images.",
        ["scores", "images", "percentiles of the draws", "ours, studentised"],
        rows,
    )


def _percentiles(scores: Scores, rng: np.random.Generator) -> Scores:
    """Return low and high ends as the plain bootstrap has them, (2, k)."""
    count = len(scores)
    counts = np.stack([np.bincount(rng.integers(count, size=count), minlength=count)
                       for _ in range(TIMES)])  # fmt: skip
    ends: Scores = np.quantile(counts @ scores / count, [0.025, 0.975], axis=0)
    return ends
