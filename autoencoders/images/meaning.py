"""What the values of images mean, decided over all images together, and images made of them."""

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoencoders.errors import PipelineError
from autoencoders.images.layout import along_rows, by_pixel, find_order
from autoencoders.images.ranges import (
    STANDARDISED,
    Range,
    find_range,
    has_thousands,
    is_standardised,
    to_bytes,
)
from autoencoders.images.shape import SMALLEST, Shape, Sides, candidates, find_shape
from autoencoders.images.survey import Traits

Values = NDArray[np.generic]


class Given(Sides, Protocol):
    """What a user says of images; None and auto leave it to looking."""

    @property
    def black(self) -> float | None:
        """Return the value that means black."""
        ...

    @property
    def white(self) -> float | None:
        """Return the value that means white."""
        ...

    @property
    def order(self) -> str:
        """Return auto, pixel or plane."""
        ...

    @property
    def transposed(self) -> bool:
        """Return whether values run down the columns."""
        ...


@dataclass(frozen=True)
class Decision:
    """Something that was decided by looking."""

    what: str
    why: str
    option: str
    """What decides otherwise, as an option of the command line; empty where nothing does."""


@dataclass(frozen=True)
class Meaning:
    """How values become images."""

    shape: Shape
    range: Range
    planes: bool = False
    transposed: bool = False
    decisions: tuple[Decision, ...] = ()

    @property
    def identity(self) -> bool:
        """Whether bytes are the images already."""
        return self.range.identity and not self.planes and not self.transposed

    def images(self, values: Values) -> tuple[NDArray[np.uint8], float]:
        """Make images of values.

        Args:
            values: (n, height * width * channels), as the file has them.

        Returns:
            uint8 of the same shape, rows in C order, channels together, and by how much rounding
            has moved a value at most, in bytes.
        """
        pixels, error = to_bytes(values, self.range)
        if self.planes:
            pixels = by_pixel(pixels, self.shape).astype(np.uint8, copy=False)
        if self.transposed:
            pixels = along_rows(pixels, self.shape).astype(np.uint8, copy=False)
        return pixels, error


def decide_shape(width: int, stated: Shape | None, given: Given) -> tuple[Shape, Decision]:
    """Find the shape of images.

    Args:
        width: Values per image.
        stated: The shape that the file itself states, if it does.
        given: Settings.

    Raises:
        PipelineError: If there is more than one shape, or none, that is plain.
    """
    sides = (given.height, given.width, given.channels)
    known = any(side is not None for side in sides)
    if stated is not None and all(a in (None, b) for a, b in zip(sides, stated, strict=True)):
        return stated, Decision(_spelt(stated), "the file says so", "--image.height --image.width")
    if (shape := find_shape(width, given)) is not None:
        why = "as set" if known else f"{width:,} values per image are {_spelt(shape)}"
        return shape, Decision(_spelt(shape), why, "--image.height --image.width --image.channels")
    options = [_options(shape) for shape in candidates(width)]
    if known:
        problem = f"an image has {width:,} values, expected {_expected(sides)}."
    else:
        problem = (
            f"an image has {width:,} values, and its height and width cannot be told from that."
        )
    advice = (
        f"Say its shape: {', or '.join(options)}."
        if options
        else "Height x width x channels must be that many: look for a column that is not a pixel, "
        "such as a row number or a label (in a table --reading.index yes, --reading.label first; "
        "of an array keep the others, array[:, 1:])."
    )
    if width < SMALLEST**2 and not known:
        problem = f"a row has {width:,} values, fewer than the smallest image."
        advice = "If it is a table about pictures, give the folder that they are in."
    raise PipelineError(problem, advice)


def _expected(sides: tuple[int | None, ...]) -> str:
    """Return how many values an image has if these sides are set: height, width, channels."""
    named = zip(sides, ("height", "width", "channels"), strict=True)
    spelt = " x ".join(name if side is None else str(side) for side, name in named)
    count = math.prod(side for side in sides if side is not None)
    return f"{'a multiple of ' if None in sides else ''}{count:,} ({spelt})"


def decide(
    shape: Shape, values: Traits, sample: Values, given: Given, *, layout_known: bool
) -> Meaning:
    """Find the range of values and the order of colours.

    Args:
        shape: Of one image.
        values: All values, summed up.
        sample: Some images, (n, width).
        given: Settings.
        layout_known: Whether the reader itself knows the order of the channels, as of pictures.

    Raises:
        PipelineError: If it is no range that images have as a rule.
    """
    found, why = _range(shape, values, sample, given)
    meaning = Meaning(shape, found, transposed=given.transposed)
    decisions = [Decision(f"range: {found.name}", why, "--image.black --image.white")]
    if shape[2] > 1 and not layout_known:
        seen = find_order(sample, shape)
        order = seen or "pixel" if given.order == "auto" else given.order
        reason = "neighbouring values are most alike so" if seen else "both would fit"
        reason = reason if given.order == "auto" else "as set"
        decisions.append(Decision(f"colours by {order}", reason, "--image.order"))
        meaning = replace(meaning, planes=order == "plane")
    if given.transposed:
        decisions.append(Decision("transposed", "as set", "--image.transposed"))
    return replace(meaning, decisions=tuple(decisions))


def _range(shape: Shape, values: Traits, sample: Values, given: Given) -> tuple[Range, str]:
    span = f"values run from {values.smallest:.6g} to {values.largest:.6g}"
    kind = ", all whole" if values.whole else ""
    if given.black is not None or given.white is not None:
        black = 0.0 if given.black is None else given.black
        white = 255.0 if given.white is None else given.white
        if black == white:
            raise PipelineError(
                f"`image.black` and `image.white` are both {black:g}.",
                "Give two different values, --image.black and --image.white.",
            )
        return Range(f"{black:g} is black, {white:g} is white", black, white), f"as set; {span}"
    found = find_range(values, sample, shape)
    if found is None:
        raise _unknown_range(span, values, sample)
    if is_standardised(values) and found.name.startswith(STANDARDISED):
        return found, f"{span}, mean {values.mean:.2f}, spread {values.spread:.2f}"
    return found, span + kind


def _unknown_range(span: str, values: Traits, sample: Values) -> PipelineError:
    options = f"--image.black {values.smallest:.6g} --image.white {values.largest:.6g}"
    if has_thousands(values, sample):
        return PipelineError(
            f"the {span}, and those with a dot are small, with three digits after it: these dots "
            "seem to separate thousands, as in 1.028 for 1,028. Expected numbers without.",
            "Remove the dots, in Python for each file, decompressed: path.write_text("
            f"path.read_text().replace('.', '')); or if they are decimal points, set {options}.",
        )
    return PipelineError(
        f"the {span}, which is not a usual range for images (0 to 255, 0 to 1, 0 to 16, "
        "-1 to 1, -0.5 to 0.5, 0 to 100, 16 bits, or standardised).",
        f"Say which values mean black and white, for these ones {options}.",
    )


def _spelt(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _options(shape: Shape) -> str:
    height, width, channels = shape
    colour = f" --image.channels {channels}" if channels > 1 else ""
    return f"--image.height {height} --image.width {width}{colour}"
