"""How much noise images have."""

import numpy as np
import pytest

from autoencoders.images.gaussian_noise import add_gaussian_noise
from autoencoders.images.noise_level import noise_estimate, noise_level
from autoencoders.images.salt_and_pepper import add_salt_and_pepper


def letters(count: int = 20) -> np.ndarray:
    """Return black images with white bars, float32 (n, 28, 28, 1)."""
    images = np.zeros((count, 28, 28, 1), np.float32)
    for number, image in enumerate(images):
        image[4:24, 4 + number % 8 : 10 + number % 8] = 1
        image[10:15, 6:22] = 1
    return images


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_white_noise_is_estimated_far_from_black_and_white(sigma):
    """To within a few percent, whatever the slope of what is below it."""
    slope = np.linspace(0.4, 0.6, 64, dtype=np.float32)
    image = np.broadcast_to(slope, (64, 64))[None, :, :, None]
    noisy = image + np.random.default_rng(0).normal(0, sigma, image.shape).astype(np.float32)

    assert noise_estimate(noisy) == pytest.approx(sigma, rel=0.05)
    assert noise_estimate(image.copy()) < 1e-6


@pytest.mark.parametrize("corrupt", [add_gaussian_noise, add_salt_and_pepper])
@pytest.mark.parametrize("level", [0.05, 0.2, 0.5, 0.7])
def test_the_strength_is_found_through_edges_and_clipping(corrupt, level):
    """As the setting `noise.factor` counts it, with restored images that are the clean ones."""
    clean = letters()
    noisy = corrupt(clean, level, np.random.default_rng(1))

    assert noise_level(list(noisy), list(clean), corrupt) == pytest.approx(level, abs=0.05)


def test_clean_images_have_no_noise():
    """Although their edges look like some."""
    assert noise_level(list(letters()), list(letters()), add_gaussian_noise) < 0.01
