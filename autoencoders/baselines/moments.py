"""First and second moments of images, gathered batch by batch in float64."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Moments:
    """Sums over pairs of vectors: x, which is looked for, and y, which is given."""

    count: int
    x: Array
    y: Array
    xy: Array
    yy: Array
    xx: float
    """The sum of squares of all of x."""

    @classmethod
    def none(cls, size: int) -> "Moments":
        """Start with no pairs of vectors of `size` numbers."""
        return cls(0, np.zeros(size), np.zeros(size), np.zeros((size, size)),
                   np.zeros((size, size)), 0.0)  # fmt: skip

    def add(self, clean: Array, given: Array) -> None:
        """Take in pairs, float64 (m, size) each. Pixels lie in [0, 1], so nothing cancels."""
        self.count += len(clean)
        self.x += clean.sum(axis=0)
        self.y += given.sum(axis=0)
        self.xy += clean.T @ given
        self.yy += given.T @ given
        self.xx += float(np.square(clean).sum())

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of pairs."""
        return Moments(self.count + other.count, self.x + other.x, self.y + other.y,
                       self.xy + other.xy, self.yy + other.yy, self.xx + other.xx)  # fmt: skip

    def covariances(self) -> tuple[Array, Array]:
        """Return the covariance of x with y, and of y with itself, (size, size) each."""
        x, y = self.x / self.count, self.y / self.count
        return self.xy / self.count - np.outer(x, y), self.yy / self.count - np.outer(y, y)
