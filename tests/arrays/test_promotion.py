"""The decision about a challenger: what it takes to be promoted, and what refuses it."""

import numpy as np
import pytest

from autoencoders.metrics.promotion import Pair, Rules, decide

RULES = Rules(margin=0.1, tolerance=0.1, images=100)


def pair(gain: float, count: int = 1000, seed: int = 0, spread: float = 0.05) -> Pair:
    """Errors of two networks, of which the second is better by `gain` dB."""
    rng = np.random.default_rng(seed)
    champion = rng.lognormal(-4, 0.5, count)
    chance = rng.lognormal(-(spread**2) / 2, spread, count)  # of mean 1
    return Pair(champion, champion * 10 ** (-gain / 10) * chance)


def decided(main: Pair, ssim=None, elsewhere=None, labels=None, baseline=None, rules=RULES):
    return decide(main, ssim, elsewhere or {}, labels, baseline, rules, np.random.default_rng(0))


def test_a_clear_gain_is_promoted():
    """With its interval, which holds the gain."""
    verdict = decided(pair(0.5))
    [check] = verdict.checks

    assert verdict.promote
    assert check.low < 0.5 < check.high
    assert verdict.reasons[0].startswith("Better by 0.")


@pytest.mark.parametrize("gain", [-1.0, 0.0, 0.1])
def test_a_gain_of_no_more_than_the_margin_is_refused(gain):
    """A loss, none, and just the margin."""
    verdict = decided(pair(gain))

    assert not verdict.promote
    assert "does not exceed the margin of 0.1 dB" in verdict.reasons[0]


def test_a_gain_that_may_be_chance_is_refused():
    """The mean alone would promote it."""
    verdict = decided(pair(0.3, count=100, spread=0.6))

    assert verdict.checks[0].gain > 0.1 > verdict.checks[0].low
    assert not verdict.promote


def test_too_few_images_are_a_refusal():
    """Whatever the gain."""
    verdict = decided(pair(3, count=99))

    assert not verdict.promote
    assert "Only 99 test images" in verdict.reasons[0]


def test_a_lower_ssim_is_a_refusal():
    """And an SSIM that does not exist, of images smaller than its window, is none."""
    lower = Pair(np.full(1000, 0.9), np.full(1000, 0.89))
    missing = Pair(np.full(1000, np.nan), np.full(1000, np.nan))

    assert decided(pair(1), ssim=lower).reasons == ("SSIM is lower by 0.0100.",)
    assert decided(pair(1), ssim=missing).promote


def test_a_loss_at_other_noise_is_a_refusal():
    """Within the tolerance it is none."""
    assert "Stronger noise" in decided(pair(1), elsewhere={"stronger noise": pair(-0.3)}).reasons[0]
    assert decided(pair(1), elsewhere={"stronger noise": pair(-0.02)}).promote


def test_a_loss_for_one_class_is_a_refusal():
    """Although all images together gain."""
    main = pair(1)
    labels = np.arange(1000) % 10
    main.challenger[labels == 7] *= 2
    verdict = decided(main, labels=labels)

    assert verdict.reasons == ("A loss of more than 0.1 dB is possible for 1 of 10 classes: 7.",)
    assert not verdict.promote


def test_a_class_of_few_images_is_left_out():
    """And is said to be."""
    main = pair(1)
    labels = np.where(np.arange(1000) < 10, 1, 0)
    main.challenger[labels == 1] *= 50
    verdict = decided(main, labels=labels)

    assert [one.passed for one in verdict.checks if one.what == "class 1"] == [None]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_returns_no_numbers_is_refused(value):
    """One image is enough."""
    main = pair(1)
    main.challenger[3] = value

    assert not decided(main).promote


def test_noisy_images_that_are_the_clean_ones_are_no_rival():
    """As with a noise factor of 0; the reason says so."""
    verdict = decided(Pair(np.zeros(100), pair(1, 100).challenger))

    assert not verdict.promote
    assert "a mean error is 0" in verdict.reasons[0]


def test_a_gain_whose_interval_has_no_end_is_refused():
    """Errors that are alike but for one image say nothing about other images."""
    errors = np.full(100, 0.02)
    errors[0] = 0.9
    verdict = decided(Pair(errors, np.full(100, 0.01)))

    assert not verdict.promote
    assert "without an interval" in verdict.reasons[0]
    assert (verdict.checks[0].low, verdict.checks[0].high) == (None, None)


def test_a_challenger_below_the_baseline_is_warned_of_or_refused():
    """By the rules."""
    below = pair(-2)
    strict = Rules(0.1, 0.1, 100, strict=True)

    assert "worse by 2.0" in decided(pair(1), baseline=below).warnings[0]
    assert decided(pair(1), baseline=below).promote
    assert not decided(pair(1), baseline=below, rules=strict).promote
    assert decided(pair(1), baseline=pair(2), rules=strict).promote


@pytest.mark.parametrize(
    ("gain", "count", "least", "most"), [(0.1, 120, 0, 0.05), (0.3, 40, 0.8, 1)]
)
def test_decisions_on_other_images_rarely_promote_too_little_and_find_three_margins(
    gain, count, least, most
):
    """Each decision sees other images; the gain of all images there are is known.
    `python -m tests.bench.decisions` does the same with networks that are trained."""
    promoted = [decided(pair(gain, count=200, seed=seed, spread=0.15)).promote
                for seed in range(count)]  # fmt: skip

    assert least <= np.mean(promoted) < most + 1e-9
