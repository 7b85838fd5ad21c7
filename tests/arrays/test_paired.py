"""Which of two ways to restore the same images is better, or that this cannot be told."""

import pytest

from autoencoders.metrics.paired import paired_gain
from autoencoders.randomness import generator

ERRORS = generator(0, "errors").uniform(0.01, 0.1, 200)


def gain(mse, other=ERRORS):
    """Compare with a fixed generator."""
    return paired_gain(mse, other, generator(0, "test"))


def test_half_the_error_is_three_decibels_better():
    """In either direction; the interval of an exact factor is a point."""
    better, worse = gain(ERRORS / 2), gain(ERRORS * 2)

    assert better.verdict == "better"
    assert worse.verdict == "worse"
    assert better.value == pytest.approx(3.0103, abs=1e-3)
    assert (better.low, better.high) == pytest.approx((3.0103, 3.0103), abs=1e-3)


def test_a_small_difference_is_found_because_it_is_paired():
    """Images differ by far more than methods do."""
    noisy = ERRORS * generator(1, "noise").normal(0.97, 0.01, 200)

    assert gain(noisy).verdict == "better"


def test_what_is_as_good_on_average_is_not_told_apart():
    """Some images are better, some worse."""
    mixed = ERRORS * generator(2, "noise").choice([0.7, 1.3], 200)

    assert gain(mixed).verdict == "not told apart"
    assert gain(ERRORS).verdict == "not told apart"


def test_few_images_tell_nothing():
    """However large the difference."""
    assert gain(ERRORS[:5] / 9, ERRORS[:5]).verdict == "not told apart"
