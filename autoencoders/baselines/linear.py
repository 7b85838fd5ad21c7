"""The best affine map from given to clean images: the linear estimator of least squared error.

Also known as the Wiener filter. It knows the means and covariances of the train images and nothing
else of them. A ridge keeps it from fitting a small set by heart; how much is decided on images that
were left out.
"""

import numpy as np
from numpy.typing import NDArray

from autoencoders.baselines.calibration import Images, Learned, Pairs, to_range
from autoencoders.baselines.moments import Array, Moments

RIDGES = (1e-6, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
"""What is added to the variance of each given pixel, in units of the squared pixel range."""
LEFT_OUT = 5
"""One image in so many decides about the ridge."""


def fit(
    pairs: Pairs, noise_factor: float, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Estimate the moments of all pairs, and the map that follows from them; see the package.

    Returns:
        `weights`, (size, size) for images of `size` numbers, `offset`, (size,), and `ridge`.
    """
    parts: list[Moments] = []  # learned from, left out
    seen = 0
    for given, clean in pairs:
        flat = [one.reshape(len(one), -1).astype(np.float64) for one in (clean, given)]
        parts = parts or [Moments.none(flat[0].shape[1]) for _ in range(2)]
        out = (np.arange(seen, seen + len(clean)) % LEFT_OUT) == LEFT_OUT - 1
        parts[0].add(*(one[~out] for one in flat))
        parts[1].add(*(one[out] for one in flat))
        seen += len(clean)
    kept, left_out = parts
    ridge = RIDGES[-1]
    if left_out.count:
        spectrum = _spectrum(kept)
        errors = [_error(_solved(kept, spectrum, one), left_out) for one in RIDGES]
        ridge = RIDGES[int(np.argmin(errors))]
    total = kept + left_out
    crossed, variances = total.covariances()
    weights = np.linalg.solve(variances + ridge * np.eye(len(variances)), crossed.T).T
    offset = total.x / total.count - weights @ (total.y / total.count)
    return {"weights": weights, "offset": offset, "ridge": np.array(ridge)}


def restore(images: Images, learned: Learned) -> Images:
    """Apply the map."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    return to_range(flat @ learned["weights"].T + learned["offset"], images.shape)


def _spectrum(moments: Moments) -> tuple[Array, Array]:
    """Return variances and directions, by which any ridge is solved for at little cost."""
    values, vectors = np.linalg.eigh(moments.covariances()[1])
    return np.maximum(values, 0), vectors


def _solved(moments: Moments, spectrum: tuple[Array, Array], ridge: float) -> tuple[Array, Array]:
    """Return weights and offset."""
    values, vectors = spectrum
    weights = (moments.covariances()[0] @ vectors / (values + ridge)) @ vectors.T
    return weights, moments.x / moments.count - weights @ (moments.y / moments.count)


def _error(solved: tuple[Array, Array], moments: Moments) -> float:
    """Return the squared error per image, less what no map changes."""
    weights, offset = solved
    x, y = moments.x / moments.count, moments.y / moments.count
    quadratic = np.sum((weights @ moments.yy) * weights) / moments.count
    crossed = np.sum(weights * moments.xy) / moments.count
    return float(quadratic - 2 * crossed + offset @ offset + 2 * offset @ (weights @ y - x))
