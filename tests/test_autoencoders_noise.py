"""Noise: its size, its range, and that it depends on the seed alone."""

import numpy as np
import pytest

from autoencoders.noise import add_gaussian_noise
from autoencoders.randomness import generator

GREY = np.full((50, 8, 8, 1), 0.5, np.float32)


def test_noise_has_the_requested_standard_deviation():
    """Far from the clipping bounds, only the noise moves the pixels."""
    noisy = add_gaussian_noise(GREY, 0.1, np.random.default_rng(0))

    assert (noisy - GREY).std() == pytest.approx(0.1, rel=0.03)
    assert noisy.dtype == np.float32


def test_noisy_pixels_stay_in_range():
    """With factor 0.5 most black and white pixels would leave [0, 1]."""
    noisy = add_gaussian_noise(np.zeros_like(GREY), 0.5, np.random.default_rng(0))

    assert noisy.min() == 0
    assert 0.9 < noisy.max() <= 1
    assert (noisy == 0).mean() == pytest.approx(0.5, abs=0.03)


def test_noise_drawn_in_parts_is_the_noise_drawn_at_once():
    """The size of a batch must not decide what is drawn."""
    whole = add_gaussian_noise(GREY, 0.2, generator(3, "noise", "train"))
    rng = generator(3, "noise", "train")
    parts = [add_gaussian_noise(part, 0.2, rng) for part in np.split(GREY, [7, 8, 33])]

    assert np.array_equal(np.concatenate(parts), whole)


def test_every_purpose_has_noise_of_its_own():
    """Train and test noise of one run must differ, and so must two seeds."""
    drawn = {
        generator(*purpose).random()
        for purpose in [(0, "noise", "train"), (0, "noise", "test"), (1, "noise", "train")]
    }

    assert len(drawn) == 3


@pytest.mark.parametrize("images", [GREY * 4, GREY - 1, np.full_like(GREY, np.nan)])
def test_images_out_of_range_are_refused(images):
    """Images scaled twice, or not at all, would make noise that means nothing."""
    with pytest.raises(ValueError, match="must lie in"):
        add_gaussian_noise(images, 0.1, np.random.default_rng(0))


def test_a_negative_factor_is_refused():
    """A standard deviation is not negative."""
    with pytest.raises(ValueError, match="noise_factor"):
        add_gaussian_noise(GREY, -0.1, np.random.default_rng(0))
