"""Files of one set whose values have different ranges, so that no one range fits them all."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autoencoders.images.ranges import STANDARDISED, Range, find_range
from autoencoders.images.shape import Shape
from autoencoders.images.survey import Survey, Traits, traits
from tasks.formats.errors import DataError
from tasks.formats.image_file import Opened


class _Own(NamedTuple):
    """What the values of a file would mean if it were the only one."""

    file: Opened
    values: Traits
    range: Range

    def __str__(self) -> str:
        span = f"values from {self.values.smallest:.6g} to {self.values.largest:.6g}"
        return f"{self.file.path} ({self.file.images.form}): {span}"


def refuse_unlike(every: Sequence[Opened], surveys: Sequence[Survey], shape: Shape) -> None:
    """Refuse train images from 0 to 1 beside test images from 0 to 255, and the like: in the range
    of the ones, the others would be black.

    Whole numbers alone are no proof: dark images in 12 bits look like bytes.

    Args:
        every: The files.
        surveys: What was seen in each.
        shape: Of one image.

    Raises:
        DataError: If there are two such files.
    """
    found = []
    for file, survey in zip(every, surveys, strict=True):
        values = traits([survey])
        if (own := find_range(values, survey.sample(), shape)) is not None:
            found.append(_Own(file, values, own))
    for one in reversed(found):
        for other in found:
            if _are_unlike(one, other):
                raise _error(one, other)


def _are_unlike(one: _Own, other: _Own) -> bool:
    if one.values.whole or _kind(one.range) == _kind(other.range):
        return False
    # Whole ones that lie in the range of fractions may be black, white, or dark
    return not other.values.whole or bool(one.range.outside(np.array(other.values.largest)))


def _kind(one: Range) -> object:
    return STANDARDISED if one.name.startswith(STANDARDISED) else (one.black, one.white)


def _error(one: _Own, other: _Own) -> DataError:
    black, white = other.range.black, other.range.white
    if STANDARDISED in (_kind(one.range), _kind(other.range)):
        step = "Give both as they were before one was standardised"
    else:
        step = f"Bring the values x of the first to the range of the others: {_scaled(one, other)}"
    return DataError(
        f"{one}, but in {other}. Expected values of one range in all files.",
        f"{step}; or if one range is meant all the same, say it, such as --image.black {black:g} "
        f"--image.white {white:g}.",
    )


def _scaled(one: _Own, other: _Own) -> str:
    """Return the formula that brings values of one range to another."""
    factor = (other.range.white - other.range.black) / (one.range.white - one.range.black)
    black = one.range.black
    text = f"(x {'-' if black > 0 else '+'} {abs(black):g})" if black else "x"
    text += f" * {factor:g}" if factor >= 1 else f" / {1 / factor:g}"
    black = other.range.black
    return text + (f" {'+' if black > 0 else '-'} {abs(black):g}" if black else "")
