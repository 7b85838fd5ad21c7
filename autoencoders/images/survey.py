"""What the values of images are like, gathered part by part in memory that does not grow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.generic]

MOST_ROWS = 1024
"""Images in a sample; enough for a share of 1 % to show, few enough to look at closely."""
MOST_BYTES = 1 << 25
"""Bytes of a sample, or one image."""


@dataclass(frozen=True)
class Traits:
    """The values of some images in a few numbers."""

    smallest: float
    largest: float
    whole: bool
    """Whether all are whole numbers, also where they are floats."""
    finite: bool
    """Whether all are numbers: neither NaN nor infinite."""
    mean: float
    """Mean of a sample."""
    spread: float
    """Standard deviation of a sample."""


class Survey:
    """Looks at every value for its range, and keeps an even sample for all else."""

    def __init__(self) -> None:
        self.count = 0
        self.smallest, self.largest = np.inf, -np.inf
        self.whole = self.finite = True
        self._kept: list[Values] = []
        self._rows = 0
        self._stride = 1

    def add(self, pixels: Values) -> None:
        """Look at some more images, (n, width) of any real dtype."""
        smallest, largest = float(pixels.min()), float(pixels.max())
        if not (np.isfinite(smallest) and np.isfinite(largest)):  # either is NaN if a value is
            self.finite = False
        self.smallest, self.largest = min(self.smallest, smallest), max(self.largest, largest)
        if self.whole and pixels.dtype.kind == "f":
            self.whole = bool((np.rint(pixels) == pixels).all())
        self._keep(pixels)
        self.count += len(pixels)

    def _keep(self, pixels: Values) -> None:
        first = -self.count % self._stride
        taken = np.array(pixels[first :: self._stride])
        if len(taken):
            self._kept.append(taken)
            self._rows += len(taken)
        while self._rows > 1 and (
            self._rows > MOST_ROWS or sum(rows.nbytes for rows in self._kept) > MOST_BYTES
        ):
            rows = np.concatenate(self._kept)[::2].copy()
            self._kept, self._rows, self._stride = [rows], len(rows), 2 * self._stride

    def sample(self) -> Values:
        """Return every k-th image, (m, width), of the first dtype that holds them all."""
        return np.concatenate(self._kept)


def traits(surveys: list[Survey]) -> Traits:
    """Sum up several surveys of at least one image in all."""
    samples = [one.sample().astype(np.float64).ravel() for one in surveys if one.count]
    values = np.concatenate(samples)
    finite = all(one.finite for one in surveys)
    return Traits(
        smallest=min(one.smallest for one in surveys),
        largest=max(one.largest for one in surveys),
        whole=all(one.whole for one in surveys),
        finite=finite,
        mean=float(values.mean()) if finite else np.nan,
        spread=float(values.std()) if finite else np.nan,
    )
