"""Principal components: the best linear code of a given size.

A code as large as the image is exact. The reference network's is larger, so only a smaller one says
something; how many components do as well as the network is the number to look at.
"""

import numpy as np
from numpy.typing import NDArray

from autoencoders.baselines.calibration import Images, Learned, Pairs, to_range
from autoencoders.baselines.unsuitable import require_small

SHARE = 8
"""The code has one number for so many of the image."""


def fit(
    pairs: Pairs, noise_factor: float | None, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Find the directions in which clean images differ most; see the package.

    Returns:
        `mean`, (size,) for images of `size` numbers, and `components`, (size, size), one per row,
        that of most variance first.

    Raises:
        UnsuitableError: If the images are too large.
    """
    count, total, squares = 0, np.zeros(1), np.zeros((1, 1))
    for _, clean in pairs:
        flat = clean.reshape(len(clean), -1).astype(np.float64)
        require_small(flat.shape[1])
        count += len(flat)
        total = total + flat.sum(axis=0)
        squares = squares + flat.T @ flat
    mean = total / count
    _, vectors = np.linalg.eigh(squares / count - np.outer(mean, mean))
    return {"mean": mean, "components": vectors.T[::-1]}


def restore(images: Images, learned: Learned) -> Images:
    """Project on the first components, and back."""
    flat = images.reshape(len(images), -1) - learned["mean"]
    size = max(1, flat.shape[1] // SHARE)
    components = learned["components"][:size]  # (k, size)
    return to_range(flat @ components.T @ components + learned["mean"], images.shape)


def errors_by_size(images: Images, learned: Learned) -> NDArray[np.float64]:
    """Return the mean squared error of codes of 0, 1, 2 ... numbers, (size + 1,)."""
    flat = images.reshape(len(images), -1) - learned["mean"]
    squares = np.square(flat @ learned["components"].T).mean(axis=0)  # (size,)
    left = np.append(np.cumsum(squares[::-1])[::-1], 0)  # what the other components hold
    return np.asarray(left / flat.shape[1])
