"""Which values of a file mean black and white, decided by looking at all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.layout import roughness
from autoencoders.images.shape import Shape
from autoencoders.images.survey import Traits

RARE = 0.01
"""Share of values below which those outside the range of all others count as mistakes."""
MARKS = 2
"""Different values outside the range of all others that may stand for missing ones, such as -1."""
MOST_MARKED = 0.25
"""Share of such values up to which they do, where the others are of many levels."""
FAINT = 0.5
"""Share of the range that the largest value reaches at least in images that are not faint."""


@dataclass(frozen=True)
class Range:
    """Which values mean black and white."""

    name: str
    black: float
    white: float
    wrapped: bool = False
    """Whether bytes were stored with a sign, so that 128 to 255 became -128 to -1."""

    @property
    def identity(self) -> bool:
        """Whether whole values are the bytes already."""
        return (self.black, self.white, self.wrapped) == (0, 255, False)

    @property
    def tolerance(self) -> float:
        """How far outside a value may be: what rounding to a byte moves it anyway."""
        return abs(self.white - self.black) / 510

    def outside(self, values: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Say of each value whether it lies outside the range."""
        low, high = sorted((self.black, self.white))
        if self.wrapped:
            low, high = -128, 127
        found: NDArray[np.bool_] = (values < low - self.tolerance) | (  # type: ignore[operator]
            values > high + self.tolerance  # type: ignore[operator]
        )
        return found


@dataclass(frozen=True)
class Rule:
    """A range that files have, and what speaks for it."""

    range: Range
    fits: Callable[[Traits], bool]
    whole: bool = False
    """Whether only whole numbers are of this range."""


STANDARDISED = "standardised"
"""How the names of ranges begin that are those of the values at hand."""
BYTES = Range("bytes, 0 to 255", 0, 255)
SIGNED = Range("bytes stored with a sign, -128 to 127", 0, 255, wrapped=True)


def _rule(name: str, black: float, white: float, whole: bool, above: float = -np.inf) -> Rule:
    """Make a rule: values from black to white, whole ones only if `whole`, the largest `above`."""
    one = Range(name, black, white)
    slack = 0 if whole else one.tolerance

    def fits(values: Traits) -> bool:
        inside = black - slack <= values.smallest and values.largest <= white + slack
        return (values.whole or not whole) and inside and values.largest > above

    return Rule(one, fits, whole)


def _are_percent(values: Traits) -> bool:
    """Return whether 100 is white: fractions that reach exactly that are no dark bytes."""
    return not values.whole and values.smallest >= 0 and abs(values.largest - 100) < 1e-4


RULES = (
    _rule("black and white, 0 and 1", 0, 1, whole=True),
    _rule("levels from 0 to 16", 0, 16, whole=True),
    _rule("bytes, 0 to 255", 0, 255, whole=True),
    _rule("-1 to 1", -1, 1, whole=True),
    _rule("whole numbers from -128 to 127", -128, 127, whole=True),
    _rule("10 bits, 0 to 1,023", 0, 1023, whole=True),
    _rule("12 bits, 0 to 4,095", 0, 4095, whole=True),
    _rule("16 bits, 0 to 65,535", 0, 65535, whole=True),
    _rule("0 to 1", 0, 1, whole=False),
    _rule("-0.5 to 0.5", -0.5, 0.5, whole=False),
    _rule("-1 to 1", -1, 1, whole=False),
    Rule(Range("percent, 0 to 100", 0, 100), _are_percent),
    _rule("0 to 255, not whole", 0, 255, whole=False, above=16),
)
"""The first that fits decides. Whole numbers come first: of 0 and 1 alone nobody could say that
they are meant to be nearly black bytes."""
MARKED = tuple(
    rule
    for rule in RULES
    if rule.range.black in (-0.5, 0) and rule.range.white in (0.5, 1, 16, 255)
)
"""Ranges that are recognised beside values which stand for missing ones."""


def find_range(values: Traits, sample: NDArray[np.generic], shape: Shape) -> Range | None:
    """Return the range that the values of all images have.

    Args:
        values: All of them, summed up; finite.
        sample: Some images, (n, width).
        shape: Of one image.

    Returns:
        The range; None if it is none that images have as a rule.
    """
    inside = (sample >= 0) & (sample <= 255)  # type: ignore[operator]
    mistakes = values.whole and (values.smallest < 0 or values.largest > 255)
    if mistakes and inside.mean() > 1 - RARE and sample[inside].max() > 16:
        return BYTES  # a few values are wrong, rather than nearly all of them black
    found = next(
        (rule.range for rule in RULES if rule.fits(values) or _fits_unmarked(rule, values, sample)),
        None,
    )
    if found is not None and found.black == -128:
        return SIGNED if _wrapped(sample, shape) else found
    if found is None and is_standardised(values):
        name = f"{STANDARDISED}, {values.smallest:.4g} to {values.largest:.4g}"
        return Range(name, values.smallest, values.largest)
    return found


def _fits_unmarked(rule: Rule, values: Traits, sample: NDArray[np.generic]) -> bool:
    """Return whether values are of a range but for one or two, which stand for missing pixels.

    Those are few in number and lie apart: -1 beside 0 to 1, 99 beside 0 to 16. Drawings of which
    little is not black have many levels outside a smaller range, or 255 for white.
    """
    used = rule.range
    if rule not in MARKED or (rule.whole and not values.whole):
        return False
    outside = used.outside(sample)
    inside, marks = sample[~outside], np.unique(sample[outside])
    if not len(inside) or len(marks) > MARKS or 255 in marks:
        return False
    levels = len(np.unique(inside))
    low, high = (
        (end - used.black) / (used.white - used.black) for end in (inside.min(), inside.max())
    )
    fills = levels > 1 and high > FAINT and (used.black == 0 or low < FAINT / 2)
    return bool(fills and outside.mean() < (MOST_MARKED if levels > 16 else RARE))


def _wrapped(sample: NDArray[np.generic], shape: Shape) -> bool:
    """Return whether values from -128 to 127 are bytes read with a sign, not bytes less 128."""
    wrapped, shifted = np.isin(sample, (0, -1)).mean(), np.isin(sample, (-128, 127)).mean()
    if max(wrapped, shifted) > RARE:  # what is black and white is most frequent in drawings
        return bool(wrapped > shifted)
    whole = sample.astype(np.int64)  # photographs are smooth, but not where a byte has wrapped
    return roughness(whole & 255, shape) < roughness(whole + 128, shape)


def has_thousands(values: Traits, sample: NDArray[np.generic]) -> bool:
    """Return whether dots separate thousands, as in 1.028 beside 771: three digits follow each, and
    what has one is small, while whole values pass those of bytes."""
    whole = sample == np.rint(sample)
    if whole.all() or values.smallest < 0 or not 255 < values.largest < 1000:
        return False
    dotted = sample[~whole].astype(np.float64)
    thousands = 1000 * dotted
    return bool(dotted.max() < 66 and np.allclose(thousands, np.rint(thousands), rtol=0, atol=1e-2))


def is_standardised(values: Traits) -> bool:
    """Return whether values were shifted and scaled to a mean of 0 and a spread of 1."""
    return values.smallest < 0 and abs(values.mean) < 0.25 and 0.5 < values.spread < 2


def is_standardised_by_pixel(sample: NDArray[np.generic]) -> bool:
    """Return whether each pixel was standardised by itself: none has a mean of its own left."""
    means = sample.astype(np.float64).mean(axis=0)
    return len(sample) >= 100 and float(np.abs(means).max()) < 0.5 * float(sample.std())


def to_bytes(values: NDArray[np.generic], of: Range) -> tuple[NDArray[np.uint8], float]:
    """Bring values to bytes by rounding; what lies outside of the range becomes black or white.

    Args:
        values: Any shape and real dtype.
        of: Which of them mean black and white.

    Returns:
        uint8 of the same shape, and by how much rounding has moved a value at most, in bytes.
    """
    if of.identity and values.dtype == np.uint8:
        return values, 0.0  # type: ignore[return-value]
    if of.wrapped:
        return (values.astype(np.int64) & 255).astype(np.uint8), 0.0
    scaled = (values.astype(np.float64) - of.black) * (255 / (of.white - of.black))
    np.clip(scaled, 0, 255, out=scaled)
    rounded = np.rint(scaled)
    error = float(np.abs(scaled - rounded).max(initial=0))
    return rounded.astype(np.uint8), error
