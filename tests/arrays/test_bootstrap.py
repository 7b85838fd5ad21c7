"""The intervals: how often they hold a truth that is known."""

import numpy as np
import pytest

from autoencoders.metrics.bootstrap import FEWEST, log_ratio_intervals, mean_intervals
from autoencoders.metrics.quality import ROUNDING_MSE

TIMES = 500
"""Draws; a fourth of the default, since only the mean over many intervals counts here."""


def lognormal(rng, shape):
    """Skewed errors, as of a denoiser: a few images are far worse than the rest."""
    return rng.lognormal(-4, 0.6, shape), np.exp(-4 + 0.18)


def gamma(rng, shape):
    """More skewed ones: the standard deviation is the mean."""
    return rng.exponential(0.02, shape), 0.02


def with_exact_images(rng, shape):
    """A third of the images is restored exactly."""
    return np.where(rng.random(shape) < 1 / 3, 0, rng.gamma(2, 0.01, shape)), 0.02 * 2 / 3


def structural_similarities(rng, shape):
    """Near the upper end of their range."""
    return rng.beta(9, 1, shape), 0.9


def normal(rng, shape):
    """Symmetric ones."""
    return rng.normal(0.1, 0.01, shape), 0.1


DISTRIBUTIONS = (lognormal, gamma, with_exact_images, structural_similarities, normal)


@pytest.mark.parametrize("draw", DISTRIBUTIONS)
@pytest.mark.parametrize(("count", "repeats"), [(200, 2000), (1000, 1000), (10_000, 400)])
def test_intervals_hold_the_truth_as_often_as_they_say(draw, count, repeats):
    """93 to 97 % of the 95 % intervals of test sets that are drawn again and again."""
    scores, truth = draw(np.random.default_rng(count), (count, repeats))
    low, high = mean_intervals(scores, TIMES, np.random.default_rng(1))

    assert 0.93 <= np.mean((low <= truth) & (truth <= high)) <= 0.97


@pytest.mark.parametrize("count", [FEWEST, 50])
def test_intervals_of_small_classes_hold_the_truth_nearly_as_often(count):
    """Where percentiles of the draws would hold it in 84 to 90 % of the cases."""
    scores, truth = gamma(np.random.default_rng(2), (count, 2000))
    low, high = mean_intervals(scores, TIMES, np.random.default_rng(1))

    assert np.mean((low <= truth) & (truth <= high)) > 0.92


@pytest.mark.parametrize("count", [200, 1000])
def test_intervals_of_a_difference_in_decibels_hold_the_truth(count):
    """Of two methods on the same images, hard images being hard for both."""
    rng = np.random.default_rng(count)
    hardness = rng.gamma(2, 0.5, (count, 1000))
    errors = hardness * rng.gamma(4, 0.01, hardness.shape)
    others = hardness * rng.gamma(4, 0.005, hardness.shape)
    low, high = log_ratio_intervals(errors, others, TIMES, np.random.default_rng(1))

    assert 0.93 <= np.mean((low <= np.log(2)) & (np.log(2) <= high)) <= 0.97


def test_methods_are_compared_on_the_same_draws():
    """So what is the same for both does not count: a constant gain has no width."""
    scores = np.random.default_rng(0).gamma(2, 0.01, (100, 1))
    low, high = log_ratio_intervals(scores, scores / 2, TIMES, np.random.default_rng(1))
    once, again = (mean_intervals(scores, TIMES, np.random.default_rng(1)) for _ in range(2))

    assert (low, high) == (pytest.approx(np.log(2)), pytest.approx(np.log(2)))
    assert np.array_equal(once, again)


def test_equal_scores_have_an_interval_of_no_width():
    """As of a method that returns the clean image."""
    scores = np.full((50, 2), ROUNDING_MSE)

    assert (mean_intervals(scores, TIMES, np.random.default_rng(1)) == ROUNDING_MSE).all()


def test_a_rare_outlier_leaves_the_ends_finite():
    """Most draws may not have it, and then no error to be measured by."""
    scores = np.zeros((50, 1))
    scores[7] = 0.5
    low, high = mean_intervals(scores, TIMES, np.random.default_rng(1))

    assert 0 == low < 0.01 < high <= 0.5


def test_scores_that_are_not_numbers_spoil_their_own_column_alone():
    """As those of a network that has diverged."""
    scores = np.random.default_rng(0).random((50, 2))
    scores[3, 0] = np.nan
    intervals = mean_intervals(scores, TIMES, np.random.default_rng(1))

    assert np.isnan(intervals).tolist() == [[True, False], [True, False]]


def test_a_few_images_have_no_interval():
    """They say too little of others; and nothing fails."""
    few = np.random.default_rng(0).random((FEWEST - 1, 3))

    assert np.isnan(mean_intervals(few, TIMES, np.random.default_rng(1))).all()
    assert np.isnan(log_ratio_intervals(few, few, TIMES, np.random.default_rng(1))).all()
