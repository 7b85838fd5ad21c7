"""Which height, width and channels an image of so many values has."""

import math
from collections.abc import Iterator
from typing import Protocol

Shape = tuple[int, int, int]
"""(height, width, channels)"""
SMALLEST = 4
"""Pixels per side that an image has at least."""
MOST_CANDIDATES = 6
"""Shapes that a question offers."""


class Sides(Protocol):
    """What is known of a shape beforehand, such as settings; None is unknown."""

    @property
    def height(self) -> int | None:
        """Return the height in pixels."""
        ...

    @property
    def width(self) -> int | None:
        """Return the width in pixels."""
        ...

    @property
    def channels(self) -> int | None:
        """Return the channels per pixel."""
        ...


def find_shape(values: int, known: Sides) -> Shape | None:
    """Return the shape of an image if the number of its values leaves no doubt.

    Without anything known that is a square in grey (784) or in colour (3,072 = 32 x 32 x 3); a
    number of values is never both, since 3 is no square of a fraction.

    Args:
        values: Values per image, the label and other columns not counted.
        known: Sides that are given; the rest follows.

    Returns:
        The shape; None if there is no such image, or more than one.
    """
    height, width, channels = known.height, known.width, known.channels
    if height is None and width is None:
        for each in (1, 3) if channels is None else (channels,):
            side = math.isqrt(values // each)
            if side >= SMALLEST and side * side * each == values:
                return side, side, each
        return None
    if height is not None and width is not None:
        each, rest = divmod(values, height * width)
        fits = not rest and 1 <= each <= 4 and channels in (None, each)
        return (height, width, each) if fits else None
    one = height or width or 1
    for each in (1, 3) if channels is None else (channels,):
        other, rest = divmod(values, one * each)
        if not rest and other >= SMALLEST:
            return (one, other, each) if height else (other, one, each)
    return None


def candidates(values: int) -> list[Shape]:
    """Return shapes that an image of so many values may have, the most square ones first."""
    found = sorted(_pairs(values), key=lambda shape: (abs(math.log(shape[0] / shape[1])), shape[2]))
    return found[:MOST_CANDIDATES]


def _pairs(values: int) -> Iterator[Shape]:
    for channels in (1, 3):
        pixels, rest = divmod(values, channels)
        for height in range(SMALLEST, 0 if rest else pixels // SMALLEST + 1):
            if height * height > 16 * pixels:  # at most four times as high as wide
                break
            if pixels % height == 0 and 16 * height * height >= pixels:
                yield height, pixels // height, channels
