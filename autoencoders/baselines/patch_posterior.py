"""The posterior mean of patches: what was a noisy patch, if it was one of those of the train set?

Every patch of the dictionary is as likely beforehand. Afterwards its weight is the likelihood of
the noise that would be needed: Gaussian, or, where a pixel stands at the end of the range, all of
the noise that was clipped there. Overlapping estimates are averaged. With a dictionary of all
images this would be the best estimator that there is (Levin and Nadler 2011, "Natural image
denoising: optimality and inherent bounds"); with small patches it is a strong one without training.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import log_ndtr

from autoencoders.baselines.calibration import Images, Learned, Pairs, to_range
from autoencoders.baselines.unsuitable import UnsuitableError

SIDE = 8
"""Pixels per side of a patch."""
STEP = 2
"""Pixels from one patch to the next."""
MOST = 10_000
"""Patches in the dictionary."""
LEAST_NOISE = 0.02
"""The standard deviation that is assumed at least: without noise every weight would be 0."""
ROWS = 2048
"""Patches that are looked up at once; their weights take 80 MB."""


def fit(
    pairs: Pairs, noise_factor: float | None, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Draw the dictionary from clean images; see the package.

    Returns:
        `dictionary`, (k, size), k patches of `MOST` at most, all different; `noise`; `likelihood`,
        (3 * size, k), and `base`, (k,), what makes log-likelihoods of it.

    Raises:
        UnsuitableError: If the noise is not Gaussian, or not known.
    """
    if noise_factor is None:
        raise UnsuitableError("since it weighs patches by the likelihood of Gaussian noise")
    found = [_patches(clean, 1).reshape(-1, *_window(clean), clean.shape[3]) for _, clean in pairs]
    patches = np.concatenate(found)  # (n, side, side, c)
    chosen = patches[np.sort(rng.choice(len(patches), min(MOST, len(patches)), replace=False))]
    dictionary = np.unique(chosen.reshape(len(chosen), -1), axis=0)  # (k, size)
    noise = max(noise_factor, LEAST_NOISE)
    likelihood, base = _likelihood(dictionary, noise)
    return {
        "dictionary": dictionary, "noise": np.array(noise), "likelihood": likelihood, "base": base,
    }  # fmt: skip


def restore(images: Images, learned: Learned) -> Images:
    """Average the posterior means of all patches that hold a pixel."""
    known = learned["dictionary"], learned["likelihood"], learned["base"]
    total, weight = np.zeros(images.shape), np.zeros((*images.shape[1:3], 1))
    patches = _patches(images, STEP)  # (n, rows, columns, side, side, c)
    flat = patches.reshape(-1, known[0].shape[1])
    means = np.concatenate([
        _posterior_means(flat[start : start + ROWS], *known)
        for start in range(0, len(flat), ROWS)
    ]).reshape(patches.shape)  # fmt: skip
    height, width = _window(images)
    for row, top in enumerate(_starts(images.shape[1], height, STEP)):
        for column, left in enumerate(_starts(images.shape[2], width, STEP)):
            place = np.s_[top : top + height, left : left + width]
            total[:, *place] += means[:, row, column]
            weight[place] += 1
    return to_range(total / weight, images.shape)


def _likelihood(dictionary: Images, noise: float) -> tuple[Images, Images]:
    """Return what makes log-likelihoods of patches by one product.

    Returns:
        (3 * size, k) to multiply with pixel values and with marks of those at 0 and at 1, and (k,)
        to add.
    """
    # log N(y; d, noise) = y d / noise^2 - d^2 / (2 noise^2) + what does not depend on d
    inside, square = dictionary / noise**2, -(dictionary**2) / (2 * noise**2)
    black = log_ndtr(-dictionary / noise) - square
    white = log_ndtr((dictionary - 1) / noise) - square
    joined = np.concatenate([inside, black, white], axis=1).astype(np.float32)
    return np.ascontiguousarray(joined.T), square.sum(axis=1)


def _posterior_means(
    patches: Images, dictionary: Images, likelihood: Images, base: Images
) -> Images:
    """Return the mean of the dictionary under the weights of each patch, (m, size)."""
    clipped = patches == 0, patches == 1
    values = np.where(clipped[0] | clipped[1], 0, patches)
    weights = np.concatenate([values, *clipped], axis=1, dtype=np.float32) @ likelihood  # (m, k)
    weights += base
    weights -= weights.max(axis=1, keepdims=True)
    np.exp(weights, out=weights)
    means: Images = (weights @ dictionary) / weights.sum(axis=1, keepdims=True)
    return means


def _window(images: Images) -> tuple[int, int]:
    """Return height and width of a patch, those of the image if that is smaller."""
    return min(SIDE, images.shape[1]), min(SIDE, images.shape[2])


def _starts(length: int, side: int, step: int) -> list[int]:
    """Return where patches begin; the last one ends at the edge."""
    return [*range(0, length - side, step), length - side]


def _patches(images: Images, step: int) -> Images:
    """Return all patches, (n, rows, columns, side, side, c)."""
    height, width = _window(images)
    windows = sliding_window_view(images, (height, width), axis=(1, 2))
    rows = _starts(images.shape[1], height, step)
    columns = _starts(images.shape[2], width, step)
    found: Images = np.moveaxis(windows[:, rows][:, :, columns], 3, 5)  # channels last
    return found
