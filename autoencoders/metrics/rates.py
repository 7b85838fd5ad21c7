"""What a code of few numbers is worth: at so many bits, and to somebody who reads letters in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHRINKAGE = 1e-3
"""What a probe adds to the variances of the numbers that it reads, as a share of their mean."""


@dataclass(frozen=True)
class Quantiser:
    """Rounds each number of a code to one of 2**bits values, evenly from its least to its most."""

    low: Array
    """(k,): the least of each number among train images."""
    high: Array
    """(k,): the most."""
    bits: int

    @classmethod
    def of(cls, codes: Array, bits: int) -> "Quantiser":
        """Take the range of the codes of train images, (n, k)."""
        return cls(codes.min(axis=0), codes.max(axis=0), bits)

    def __call__(self, codes: Array) -> Array:
        """Return codes, (n, k), as they are read from so many bits; what is outside is clipped."""
        steps = 2**self.bits - 1
        width = np.where(self.high > self.low, self.high - self.low, 1.0)
        levels = np.rint(np.clip((codes - self.low) / width, 0, 1) * steps)
        return np.asarray(self.low + levels / steps * (self.high - self.low))


@dataclass(frozen=True)
class Probe:
    """A linear classifier, fitted by least squares: how much of a class a straight line can see."""

    mean: Array
    weights: Array
    classes: NDArray[np.int64]

    @classmethod
    def fit(cls, features: Array, labels: NDArray[np.int64]) -> "Probe":
        """Fit to features, (n, k), of images with these labels, (n,): ridge regression to which
        class it is."""
        mean = features.mean(axis=0)
        classes = np.unique(labels)
        target = (labels[:, None] == classes).astype(np.float64)  # (n, c)
        centred = features - mean
        gram = centred.T @ centred / len(features)  # (k, k)
        ridge = SHRINKAGE * np.trace(gram) / len(gram) + 1e-12
        gram[np.diag_indices_from(gram)] += ridge
        weights = np.linalg.solve(gram, centred.T @ (target - target.mean(axis=0)) / len(features))
        offset = target.mean(axis=0)
        return cls(mean, np.vstack([weights, offset]), classes)

    def accuracy(self, features: Array, labels: NDArray[np.int64]) -> float:
        """Return the share of images whose class it finds, from 0 to 1."""
        scores = (features - self.mean) @ self.weights[:-1] + self.weights[-1]
        return float((self.classes[scores.argmax(axis=1)] == labels).mean())


def in_two_dimensions(codes: Array) -> Array:
    """Return codes, (n, k), on the plane in which they differ most, (n, 2); signs are fixed so that
    the entry of each axis that is largest is positive."""
    centred = codes - codes.mean(axis=0)
    if codes.shape[1] == 1:
        return np.hstack([centred, np.zeros_like(centred)])
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]  # (k, 2)
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    return np.asarray(centred @ (axes * signs))


def between(start: Array, end: Array, steps: int) -> Array:
    """Return codes on the straight line from one code, (k,), to another one, both included."""
    shares = np.linspace(0, 1, steps)[:, None]
    return np.asarray((1 - shares) * start + shares * end)
