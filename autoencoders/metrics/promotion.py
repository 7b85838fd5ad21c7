"""Whether a challenger is truly better than the champion: a decision on paired scores.

Gains are differences of the PSNR of mean squared errors, the figure that papers quote, on the same
images with the same noise. Their intervals come from images drawn with replacement, so that they
say how the two would compare on other images of the kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.metrics.bootstrap import FEWEST, log_ratio_intervals

Scores = NDArray[np.float64]
DRAWS = 2000
BASELINE = "the best linear map"
CLASS = "class "
"""How the comparison on a class is called, before its name."""


@dataclass(frozen=True)
class Pair:
    """Errors of two networks on the same images."""

    champion: Scores
    """Mean squared error per image, float64 (n,)."""
    challenger: Scores


@dataclass(frozen=True)
class Rules:
    """What a challenger must reach."""

    margin: float
    """Least gain, in dB."""
    tolerance: float
    """Largest loss elsewhere, in dB."""
    images: int
    """Fewest images to compare on."""
    strict: bool = False
    """Whether a challenger below the classical baseline is refused, or only warned of."""


@dataclass(frozen=True)
class Check:
    """One comparison."""

    what: str
    images: int
    gain: float | None
    """dB; positive where the challenger is better. None if there is no number."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    least: float | None
    """What `low` must exceed."""
    passed: bool | None
    """None where there are too few images to tell, which refuses nobody."""


@dataclass(frozen=True)
class Verdict:
    """What follows from all comparisons."""

    promote: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        checks = [one.__dict__ for one in self.checks]
        return {
            "promote": self.promote,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "checks": checks,
        }


def decide(
    main: Pair,
    ssim: Pair | None,
    elsewhere: Mapping[str, Pair],
    labels: NDArray[Any] | None,
    baseline: Pair | None,
    rules: Rules,
    rng: np.random.Generator,
) -> Verdict:
    """Decide whether the challenger takes the champion's place.

    It does if the lower end of the interval of its gain exceeds the margin, its mean SSIM is not
    lower, and nowhere else is the lower end of its gain below the tolerated loss: not at other
    noise, not on other images, not for any class that has images enough to tell.

    Args:
        main: Errors on images that neither has seen.
        ssim: The SSIM of the same images; None, or NaN, where there is none.
        elsewhere: Errors elsewhere, by what that is.
        labels: The class of each image of `main`, (n,); None without.
        baseline: Errors of a classical method, in the champion's place, on images of `main`.
        rules: What must be reached.
        rng: Source of randomness of the intervals.

    Returns:
        The decision with all numbers, and in words why.
    """
    count = len(main.champion)
    if count < rules.images:
        return Verdict(False, (too_few(count, rules.images),), ())
    checks = [compare("PSNR", main, rules.margin, rng)]
    if ssim is not None and np.isfinite([ssim.champion.mean(), ssim.challenger.mean()]).all():
        checks.append(_of_ssim(ssim))
    checks += [compare(what, pair, -rules.tolerance, rng) for what, pair in elsewhere.items()]
    by_class = list(_by_class(main, labels, rules, rng))
    below = [] if baseline is None else _below(compare(BASELINE, baseline, 0, rng))
    failed = [_reason(one) for one in checks if one.passed is False]
    failed += [*_worse_classes(by_class, rules), *(below if rules.strict else [])]
    checks += by_class
    warnings = () if rules.strict else tuple(below)
    return Verdict(not failed, tuple(failed or [_gained(checks)]), tuple(checks), warnings)


def too_few(count: int, fewest: int) -> str:
    """Say that there are too few images."""
    return (
        f"Only {count:,} test images are new to both champion and challenger; {fewest:,} are the "
        "fewest to compare them on."
    )


def compare(what: str, pair: Pair, least: float, rng: np.random.Generator) -> Check:
    """Compare two networks by their mean squared errors.

    Args:
        what: What is compared.
        pair: Errors on the same images.
        least: What the lower end of the gain must exceed, in dB.
        rng: Source of randomness.
    """
    means = [float(scores.mean()) for scores in (pair.challenger, pair.champion)]
    if len(pair.champion) < FEWEST:
        gain = _decibels(np.log(means[0] / means[1])) if min(means) > 0 else None
        return Check(what, len(pair.champion), gain, None, None, least, None)
    if not (np.isfinite(means).all() and min(means) > 0):
        return Check(what, len(pair.champion), None, None, None, least, False)
    ends = log_ratio_intervals(pair.challenger[:, None], pair.champion[:, None], DRAWS, rng)[:, 0]
    gain = _decibels(np.log(means[0] / means[1]))
    low, high = _decibels(ends[1]), _decibels(ends[0])
    if low is None or high is None:  # an interval without an end, of images that are all alike
        return Check(what, len(pair.champion), gain, None, None, least, False)
    return Check(what, len(pair.champion), gain, low, high, least, low > least)


def _decibels(log_ratio: float) -> float | None:
    """Return by how many dB the PSNR is higher if the error is this much lower."""
    found = float(-10 / np.log(10) * log_ratio)
    return found if np.isfinite(found) else None


def _of_ssim(ssim: Pair) -> Check:
    difference = float(ssim.challenger.mean() - ssim.champion.mean())
    return Check("SSIM", len(ssim.champion), difference, None, None, 0.0, difference >= 0)


def _by_class(
    main: Pair, labels: NDArray[Any] | None, rules: Rules, rng: np.random.Generator
) -> Iterator[Check]:
    for name in np.unique(labels) if labels is not None and len(labels) else ():
        one = labels == name
        pair = Pair(main.champion[one], main.challenger[one])
        yield compare(f"{CLASS}{name}", pair, -rules.tolerance, rng)


def _worse_classes(checks: Sequence[Check], rules: Rules) -> list[str]:
    """Say in one sentence which classes may be worse than tolerated."""
    worse = [one.what.removeprefix(CLASS) for one in checks if one.passed is False]
    if not worse:
        return []
    told = sum(one.passed is not None for one in checks)
    return [
        f"A loss of more than {rules.tolerance:g} dB is possible for {len(worse)} of {told} "
        f"classes: {', '.join(worse)}."
    ]


def _below(check: Check) -> list[str]:
    """Say that the challenger is below the classical baseline, if it is."""
    if check.gain is not None and check.gain >= 0:
        return []
    by = "" if check.gain is None else f" by {-check.gain:.2f} dB"
    return [f"The challenger is worse{by} than {check.what} from noisy to clean images."]


def _gained(checks: list[Check]) -> str:
    main = checks[0]
    elsewhere = ", and nowhere worse than tolerated" if len(checks) > 1 else ""
    return (
        f"Better by {main.gain:.2f} dB (95 % interval {main.low:.2f} to {main.high:.2f}), more "
        f"than the margin of {main.least:g} dB{elsewhere}."
    )


def _reason(check: Check) -> str:
    """Say why a check has failed."""
    if check.gain is None:
        return f"{check.what}: a mean error is 0 or no number, so the two cannot be compared."
    if check.what == "SSIM":
        return f"SSIM is lower by {-check.gain:.4f}."
    gain = f"{check.gain:+.2f} dB"
    if check.low is None:
        return f"{check.what}: gain {gain}, without an interval, as nearly all errors are alike."
    gain += f" (95 % interval {check.low:.2f} to {check.high:.2f})"
    if check.what == "PSNR":
        return f"Gain {gain}: its lower end does not exceed the margin of {check.least:g} dB."
    loss = f"a loss of more than {-(check.least or 0):g} dB is possible"
    return f"{check.what.capitalize()}: gain {gain}, so {loss}."
