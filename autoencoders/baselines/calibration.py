"""The choice of a filter's strength: the one with the least error on train images."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Pairs = Iterable[tuple[Images, Images]]
"""Batches of (given, clean) images, float32 (m, h, w, c) each."""
Learned = Mapping[str, NDArray[np.float64]]


def calibrated(
    restore: Callable[[Images, Learned], Images], strengths: Sequence[float], pairs: Pairs
) -> dict[str, NDArray[np.float64]]:
    """Try every strength on the same images.

    Args:
        restore: The filter; it finds its strength as `learned["strength"]`.
        strengths: What is tried.
        pairs: Train images.

    Returns:
        `strength`, the one of least mean squared error, the first of equal ones; `strengths` and
        `errors`, what was tried and what came of it.
    """
    errors, count = np.zeros(len(strengths)), 0
    for given, clean in pairs:
        for index, strength in enumerate(strengths):
            restored = restore(given, {"strength": np.array(float(strength))})
            errors[index] += np.square(restored.astype(np.float64) - clean).sum()
        count += clean.size
    return {
        "strength": np.array(float(strengths[int(np.argmin(errors))])),
        "strengths": np.array(strengths, np.float64),
        "errors": errors / count,
    }


def to_range(images: NDArray[np.floating], shape: tuple[int, ...]) -> Images:
    """Return images as float32 in [0, 1], of a shape that a library may have squeezed."""
    found: Images = np.clip(images, 0, 1).astype(np.float32).reshape(shape)
    return found
