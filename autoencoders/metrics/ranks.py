"""Which image is the best, the median and the worst of many."""

import numpy as np
from numpy.typing import NDArray

RANKS = ("best", "median", "worst")


def ranked(psnr: NDArray[np.float64]) -> dict[str, int]:
    """Return the place of the image of each rank.

    Args:
        psnr: (n,) in dB, n at least 1. Those that are not numbers are the worst of all; of equal
            ones, the first is the better one.

    Returns:
        By rank, an index of `psnr`.
    """
    order = np.argsort(-np.nan_to_num(psnr, nan=-np.inf), kind="stable")
    return {name: int(order[place]) for name, place in zip(RANKS, (0, len(order) // 2, -1),
                                                           strict=True)}  # fmt: skip
