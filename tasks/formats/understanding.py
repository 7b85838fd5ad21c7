"""What the values of opened files mean: shape, range and order, decided over all of them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoencoders.errors import PipelineError
from autoencoders.images.meaning import Decision, Meaning, decide, decide_shape
from autoencoders.images.shape import SMALLEST, Shape, find_shape
from autoencoders.images.survey import Survey, Traits, traits
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, Opened
from tasks.formats.unlike import refuse_unlike

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings, ReadingSettings

PART = 1 << 21
"""Values per step of reading: memory is some of these, however many rows there are."""
OTHER = 50
"""How many times larger a range is that is surely another one, as 0 to 255 is beside 0 to 1; noise
that is as strong as the images reaches ten times as far."""


class Understanding(NamedTuple):
    """What was decided of values."""

    meaning: Meaning
    values: Traits
    sample: NDArray[Any]
    """Some images, (n, width)."""
    decisions: list[Decision]


def rows_at_a_time(images: ImageFile) -> int:
    """Return how many images make a part."""
    return max(1, PART // images.width)


def shape_of(every: Sequence[Opened], image: "ImageSettings") -> tuple[Shape, Decision]:
    """Return the shape of all images, on which the files must agree.

    Raises:
        DataError: If they do not, or one leaves it open.
    """
    found = []
    for path, images in every:
        try:
            found.append((path, decide_shape(images.width, images.shape, image)))
        except PipelineError as error:
            raise DataError(
                f"{path}: {error.problem}", f"{error.advice}{_or_turned(images, image)}"
            ) from error
    (first, (shape, decision)), *others = found
    for path, (other, _) in others:
        if other != shape:
            raise DataError(
                f"{path}: the images are {' x '.join(map(str, other))}, but those of {first.name} "
                f"are {' x '.join(map(str, shape))}. Expected the same shape everywhere.",
                "Give files of the same images, or say what the columns are (--reading.label, "
                "--reading.index) or what the shape is (--image.height, --image.width).",
            )
    return shape, decision


def _or_turned(images: ImageFile, image: "ImageSettings") -> str:
    """Return what else to do where there are as many rows as a grey square has values."""
    rows = images.count
    if rows is None:
        rows = sum(len(part.pixels) for part in images.parts(rows_at_a_time(images)))
    shape = find_shape(rows, image)
    if shape is None or shape[2] > 1 or images.width < SMALLEST**2:
        return ""
    step = "set --reading.rows pixels" if images.form.startswith("CSV") else "turn it: images.T"
    return (
        f" If each column is an image, of {' x '.join(map(str, shape))} in {rows:,} rows, {step}."
    )


def understand(
    every: Sequence[Opened],
    surveys: Sequence[Survey],
    image: "ImageSettings",
    reading: "ReadingSettings",
) -> Understanding:
    """Say what values mean that have all been looked at.

    Args:
        every: The files.
        surveys: What was seen in each.
        image: What is set of shape and range.
        reading: What is accepted that is otherwise refused.

    Raises:
        DataError: If a value is no number or lies outside of the range, or the range is none that
            images have.
    """
    shape, decision = shape_of(every, image)
    values = traits(list(surveys))
    sample = np.concatenate([one.sample() for one in surveys])
    if not values.finite:
        raise _first_missing(every)
    if image.black is None and image.white is None:
        refuse_unlike(every, surveys, shape)
    known = all(images.shape is not None for _, images in every)
    try:
        meaning = decide(shape, values, sample, image, layout_known=known)
    except PipelineError as error:
        names = " and ".join(path.name for path, _ in every)
        raise DataError(f"{names}: {error.problem}", error.advice) from error
    _check_range(every, meaning, values, reading)
    stated = [Decision(*text) for _, images in every for text in images.decisions]
    decisions = [*dict.fromkeys(stated), decision, *meaning.decisions]
    return Understanding(meaning, values, sample, decisions)


def check_twins(
    twins: Sequence[Opened], survey: Survey, meaning: Meaning, image: "ImageSettings"
) -> None:
    """Refuse noisy twins that are none of the clean images by their values.

    Noise may go far beyond black and white, so that only a range of quite another size is refused.

    Args:
        twins: The files of noisy images.
        survey: What was seen in them.
        meaning: What the values of the clean images mean, and so theirs.
        image: What is set of the range.

    Raises:
        DataError: If a value is no number, or the range is another one.
    """
    if not survey.finite:
        raise _first_missing(twins)
    used = meaning.range
    reach = (survey.largest - survey.smallest) / abs(used.white - used.black)
    if image.black is None and image.white is None and not 1 / OTHER < reach < OTHER:
        names = " and ".join(str(path) for path, _ in twins)
        raise DataError(
            f"{names}: the noisy values run from {survey.smallest:.6g} to {survey.largest:.6g}, "
            f"but in the clean images {used.black:.6g} is black and {used.white:.6g} is white. "
            "Expected one range in both.",
            "Bring the noisy images to the range of the clean ones.",
        )


def _first_missing(every: Sequence[Opened]) -> DataError:
    return _first_bad(
        every,
        lambda part: ~np.isfinite(part),
        "expected a number",
        "Fill the value in, or remove the image (and its label).",
    )


def _check_range(
    every: Sequence[Opened], meaning: Meaning, values: Traits, reading: "ReadingSettings"
) -> None:
    """Refuse values outside of the range, unless they are to be clipped."""
    used = meaning.range
    reach = np.array([values.smallest, values.largest])
    if used.outside(reach).any() and "outside" not in reading.accept:
        raise _first_bad(
            every, used.outside, f"expected a value from {used.black:g} to {used.white:g}",
            "Correct the value or remove the row (and its label). If such values stand for missing "
            "pixels, clip them to black and white: --reading.accept outside. If they are right, "
            f"say which are black and white: --image.black {values.smallest:g} --image.white "
            f"{values.largest:g}.",
        )  # fmt: skip


def _first_bad(
    every: Sequence[Opened],
    is_bad: Callable[[NDArray[Any]], NDArray[np.bool_]],
    expected: str,
    advice: str,
) -> DataError:
    """Name the first value for which `is_bad` holds."""
    for path, images in every:
        start = 0
        for part in images.parts(rows_at_a_time(images)):
            rows, columns = np.nonzero(is_bad(part.pixels))
            if len(rows):
                place = images.place(start + int(rows[0]), int(columns[0]))
                got = part.pixels[rows[0], columns[0]]
                return DataError(f"{path}, {place}: {expected}, got {got:g}.", advice)
            start += len(part.pixels)
    raise RuntimeError("A value found before is no longer there: the file has changed.")
