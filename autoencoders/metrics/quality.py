"""Mean squared error and PSNR of each image."""

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

ROUNDING_MSE = 1 / (12 * 255**2)
"""MSE of rounding pixels to bytes. The data cannot tell smaller errors from none, so the PSNR of
one image is capped here, at 58.9 dB; without a floor one exact image makes a mean infinite."""


def check_shapes(clean: Images, restored: Images) -> None:
    """Refuse pairs of images that do not match one by one.

    Raises:
        ValueError: If the shapes differ; broadcasting would compare every image with the first.
    """
    if clean.shape != restored.shape:
        raise ValueError(f"`restored` must have the shape of `clean`, {clean.shape}. "
                         f"Received: {restored.shape}")  # fmt: skip


def mean_squared_error(clean: Images, restored: Images) -> NDArray[np.float64]:
    """Compute the mean squared error of each image.

    Args:
        clean: float32, shape (n, height, width, channels), pixels in [0, 1].
        restored: The same shape and range.

    Returns:
        float64 (n,), in [0, 1].

    Raises:
        ValueError: If the shapes differ.
    """
    check_shapes(clean, restored)
    error = clean.astype(np.float64) - restored  # float64, so that the mean does not round
    return np.asarray(np.square(error).mean(axis=(1, 2, 3)))


def peak_signal_to_noise_ratio(clean: Images, restored: Images) -> NDArray[np.float64]:
    """Compute the PSNR of each image for a pixel range of 1.

    Args:
        clean: float32, shape (n, height, width, channels), pixels in [0, 1].
        restored: The same shape and range.

    Returns:
        float64 (n,), in dB, from 0 to 58.9; see `ROUNDING_MSE`.

    Raises:
        ValueError: If the shapes differ.
    """
    return psnr(mean_squared_error(clean, restored))


def psnr(mse: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert a mean squared error into a PSNR in dB for a pixel range of 1: -10 log10(MSE).

    Args:
        mse: Mean squared error, at least 0; values below `ROUNDING_MSE` count as `ROUNDING_MSE`.

    Returns:
        The PSNR in dB, in the shape of `mse`.
    """
    return -10 * np.log10(np.maximum(mse, ROUNDING_MSE))
