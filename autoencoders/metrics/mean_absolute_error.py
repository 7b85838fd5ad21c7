"""Mean absolute error: less dominated by a few large errors than the mean squared error."""

import numpy as np
from numpy.typing import NDArray

from autoencoders.metrics.quality import Images, check_shapes


def mean_absolute_error(clean: Images, restored: Images) -> NDArray[np.float64]:
    """Compute the mean absolute error of each image.

    Args:
        clean: float32, shape (n, height, width, channels), pixels in [0, 1].
        restored: The same shape and range.

    Returns:
        float64 (n,), in [0, 1], in units of the pixel range.

    Raises:
        ValueError: If the shapes differ.
    """
    check_shapes(clean, restored)
    error = clean.astype(np.float64) - restored  # float64, so that the mean does not round
    return np.asarray(np.abs(error).mean(axis=(1, 2, 3)))
