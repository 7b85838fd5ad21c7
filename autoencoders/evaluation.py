"""How close restored images are to the clean ones: MSE, PSNR and SSIM, an image at a time."""

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

Images = NDArray[np.float32]

ROUNDING_MSE = 1 / (12 * 255**2)
"""MSE of rounding pixels to bytes. The data cannot tell smaller errors from none, so the PSNR of
one image is capped here, at 58.9 dB; without a floor one exact image makes a mean infinite."""


def psnr(mse: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the peak signal-to-noise ratio in dB for a pixel range of 1: -10 log10(MSE).

    Args:
        mse: Mean squared error, at least 0; values below `ROUNDING_MSE` count as `ROUNDING_MSE`.
    """
    return -10 * np.log10(np.maximum(mse, ROUNDING_MSE))


def score_images(clean: Images, restored: Images) -> pd.DataFrame:
    """Compare images pair by pair.

    SSIM is that of Wang, Bovik, Sheikh and Simoncelli (2004), "Image quality assessment: from
    error visibility to structural similarity": Gaussian window of 11 x 11 with sigma 1.5, K1 0.01,
    K2 0.03, over the windows that lie wholly inside the image. For images of fewer than 11 pixels
    a side it is not defined, and not a number here.

    Args:
        clean: float32 (n, height, width, channels), pixels in [0, 1].
        restored: The same form.

    Returns:
        A row an image, float64 columns `mse`, `psnr` (dB, see `ROUNDING_MSE`) and `ssim` (-1 to 1).

    Raises:
        ValueError: If the shapes differ.
    """
    if clean.shape != restored.shape:
        raise ValueError(f"`restored` must have the shape of `clean`, {clean.shape}. "
                         f"Received: {restored.shape}")  # fmt: skip
    error = clean.astype(np.float64) - restored
    mse = np.square(error).mean(axis=(1, 2, 3))
    if min(clean.shape[1:3]) >= 11:
        ssim = tf.image.ssim(clean, restored, max_val=1.0).numpy().astype(np.float64)
    else:
        ssim = np.full(len(clean), np.nan)
    return pd.DataFrame({"mse": mse, "psnr": psnr(mse), "ssim": ssim})


def summarise(scores: pd.DataFrame) -> dict[str, float | None]:
    """Sum up the scores of many images.

    Args:
        scores: What `score_images` returned.

    Returns:
        `mse`: mean over all pixels. `psnr`: dB of that mean, the figure papers quote.
        `psnr_mean`: mean of the images' own PSNR in dB, which favours images restored almost
        exactly. `ssim`: mean over the images, None where it is not defined.
    """
    mse = float(scores["mse"].mean())
    ssim = float(scores["ssim"].mean())
    return {
        "mse": mse,
        "psnr": float(psnr(mse)),
        "psnr_mean": float(scores["psnr"].mean()),
        "ssim": None if np.isnan(ssim) else ssim,
    }
