"""Drift: real and large changes are found, chance and small ones are not."""

import numpy as np
import pytest

from autoencoders.metrics.drift import of_classes, of_values, stability_index

LIMITS = {"ks": 0.1, "psi": 0.2}


def drifted(before, now) -> bool:
    return of_values("ink", before, now, **LIMITS).drifted


def test_equal_values_have_not_drifted():
    """Both measures are 0, or as good as."""
    values = np.random.default_rng(0).normal(size=500)
    found = of_values("ink", values, values, **LIMITS)

    assert (found.ks, found.drifted) == (0, False)
    assert found.psi < 1e-9
    assert found.before == found.now


@pytest.mark.parametrize("count", [50, 200, 5000])
def test_samples_of_one_distribution_rarely_drift(count):
    """Fewer than one in a hundred, however few images there are."""
    rng = np.random.default_rng(1)
    found = [drifted(rng.gamma(2, size=5000), rng.gamma(2, size=count)) for _ in range(200)]

    assert sum(found) <= 2


def test_small_changes_of_many_images_have_not_drifted():
    """They are real, but no reason to stop."""
    rng = np.random.default_rng(2)
    assert not drifted(rng.normal(0, 1, 100_000), rng.normal(0.03, 1, 100_000))


@pytest.mark.parametrize("now", [
    pytest.param(lambda rng: rng.normal(0.5, 1, 500), id="moved"),
    pytest.param(lambda rng: rng.normal(0, 2, 500), id="spread out"),
    pytest.param(lambda rng: np.append(rng.normal(0, 1, 400), np.full(100, 9.0)), id="a new tail"),
    pytest.param(lambda rng: np.append(rng.normal(0, 1, 300), np.full(200, np.nan)), id="NaN"),
])  # fmt: skip
def test_large_changes_are_found(now):
    """Of the middle, of the width, of the ends, and values that are no numbers."""
    rng = np.random.default_rng(3)
    assert drifted(rng.normal(0, 1, 5000), now(rng))


def test_values_that_are_all_the_same():
    """No change is none; any change is one."""
    assert not drifted(np.full(300, 0.5), np.full(300, 0.5))
    assert drifted(np.full(300, 0.5), np.full(300, 0.6))


def test_classes_that_come_and_go():
    """The same shares of another number of images are none; a new or a lost class is drift."""
    before = {"A": 1000, "B": 1000}

    assert not of_classes(before, {"A": 101, "B": 99}, psi=0.2).drifted
    assert of_classes(before, {"A": 100, "B": 100, "C": 100}, psi=0.2).drifted
    assert of_classes(before, {"A": 200}, psi=0.2).drifted


def test_the_index_is_that_of_the_formula():
    """By hand, for bins so full that the halves do not matter."""
    index, real = stability_index(np.array([500_000, 500_000]), np.array([250_000, 750_000]))

    assert index == pytest.approx(-0.25 * np.log(0.5) + 0.25 * np.log(1.5), rel=1e-4)
    assert real
