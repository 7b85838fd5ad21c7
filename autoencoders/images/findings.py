"""What is odd about a set of images: warnings that their owner should read before a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.fingerprint import fingerprints
from autoencoders.images.layout import border_shares, label_among_pixels
from autoencoders.images.meaning import Meaning
from autoencoders.images.ranges import FAINT, STANDARDISED, is_standardised_by_pixel
from autoencoders.images.survey import Traits

MIXED = 0.05
"""Share of images with a dark border, and of those with a bright one, from which both are meant."""
REPEATED = 0.2
"""Share of copies from which they are no accident; notMNIST has 2 %."""
NEARLY_WHOLE = 0.05
"""How far from a whole number a byte may be that was computed with."""
NEARLY_BLACK = 2
"""The largest byte of images that are not black, but look so."""
MOST_NAMED = 5
"""Classes that a warning names."""


class Finding(NamedTuple):
    """Something odd."""

    code: str
    text: str


@dataclass(frozen=True)
class Contents:
    """The images of one split, as they were written."""

    prints: NDArray[np.uint64]
    """The fingerprint of each, (n,)."""
    labels: NDArray[np.uint32] | None
    """(n,); None without labels."""


def find_oddities(
    contents: Mapping[str, Contents],
    meaning: Meaning,
    values: Traits,
    sample: NDArray[np.generic],
    rounding: float,
    classes: list[str] | None,
) -> list[Finding]:
    """Return what is odd about train and test images.

    Args:
        contents: By split, `train` and `test`.
        meaning: How values became images.
        values: The values in the files, summed up.
        sample: Some of them, (n, width).
        rounding: By how much rounding has moved a value at most, in bytes.
        classes: What labels are called, if they are words.
    """
    return [
        *_of_values(meaning, values, sample, rounding),
        *_of_copies(contents, int(np.prod(meaning.shape))),
        *_of_labels(contents, classes),
    ]


def find_faint_splits(meaning: Meaning, largest: Mapping[str, float]) -> list[Finding]:
    """Return which images are dark while others are not, as where they are of another range.

    Args:
        meaning: How values became images.
        largest: The largest value in the files, by split.
    """
    used = meaning.range
    span = abs(used.white - used.black)
    reach = {split: (most - min(used.black, used.white)) / span for split, most in largest.items()}
    if used.wrapped or max(reach.values()) < FAINT:
        return []  # all are dark, which is another finding
    return [
        Finding("faint", (
            f"The largest value of the {split} images is {largest[split]:.6g}, but "
            f"{used.white:.6g} is taken for white as in the others, so these are dark. If their "
            "white is another value, bring them to the range of the others."
        ))
        for split, share in reach.items() if share < FAINT
    ]  # fmt: skip


def _of_values(
    meaning: Meaning, values: Traits, sample: NDArray[np.generic], rounding: float
) -> list[Finding]:
    found = []
    used, images = meaning.range, meaning.images(sample)[0]
    reach = (values.largest - min(used.black, used.white)) / abs(used.white - used.black)
    if not used.wrapped and reach < FAINT:
        found.append(Finding("faint", (
            f"The largest value is {values.largest:.6g}, but {used.white:.6g} is taken for white, "
            f"so all images are dark. If {values.largest:.6g} is meant to be white, set "
            f"--image.white {values.largest:.6g}."
        )))  # fmt: skip
    if used.name.startswith(STANDARDISED):
        found.append(Finding("standardised", _standardised(used.black, used.white, sample)))
    if used.identity and rounding > NEARLY_WHOLE:
        found.append(Finding("rounded", (
            "Some values are not whole numbers, and were rounded. If they are of another range, "
            "set --image.black and --image.white."
        )))  # fmt: skip
    peaks, varied = images.max(axis=1), np.ptp(sample, axis=1) > 0
    if (share := float((varied & (peaks <= NEARLY_BLACK)).mean())) > MIXED:
        found.append(Finding("faint", (
            f"{share:.0%} of the images are nearly black: no value is above "
            f"{float(sample[peaks <= NEARLY_BLACK].max()):.6g}, of {used.white:.6g} for white. If "
            "they are of another range, bring them to that of the others."
        )))  # fmt: skip
    dark, bright = border_shares(images, meaning.shape)
    if min(dark, bright) > MIXED:
        found.append(Finding("mixed", (
            f"{dark:.0%} of the images are bright on dark, and {bright:.0%} are dark on bright. If "
            "that is no intention, invert one kind."
        )))  # fmt: skip
    if column := label_among_pixels(sample, meaning.shape):
        found.append(Finding("label", (
            f"The {column} value of each image looks like a label: it takes few values, and is not "
            "like the pixel beside it. If it is one, all pixels are shifted: set "
            f"--reading.label {column}, and remove a column that takes its place."
        )))  # fmt: skip
    return found


def _standardised(smallest: float, largest: float, sample: NDArray[np.generic]) -> str:
    text = (
        f"The values are standardised, so what was black and white is lost. The smallest, "
        f"{smallest:.6g}, is taken for black and the largest, {largest:.6g}, for white; if you "
        "know better, set --image.black and --image.white, e.g. to (0 - mean) / spread and "
        "(1 - mean) / spread."
    )
    if is_standardised_by_pixel(sample):
        text += (
            " Each pixel was standardised by itself, which has changed what the images look like: "
            "use the images from before that step."
        )
    return text


def _of_copies(contents: Mapping[str, Contents], width: int) -> list[Finding]:
    blank = fingerprints(np.repeat(np.arange(256, dtype=np.uint8)[:, None], width, axis=1))
    found = []
    for split, one in contents.items():
        copies = len(one.prints) - len(np.unique(one.prints))
        plain = int(np.isin(one.prints, blank).sum())
        if copies > REPEATED * len(one.prints):
            found.append(Finding("copies", (
                f"{copies:,} of the {len(one.prints):,} {split} images are exact copies of another "
                f"one ({plain:,} images are of one colour)."
            )))  # fmt: skip
    train, test = contents["train"].prints, contents["test"].prints
    shared = int(np.isin(test, train).sum())
    if shared == len(test):
        found.append(Finding("same", (
            "The test images are the train images, so the metrics show what the networks have "
            "memorised, not how they do on images they have not seen. Give other test data."
        )))  # fmt: skip
    elif shared:
        found.append(Finding("shared", (
            f"{shared:,} of the {len(test):,} test images ({shared / len(test):.1%}) are train "
            "images too; on these the metrics show what the networks have memorised."
        )))  # fmt: skip
    if len(np.unique(test)) == 1 < len(test):
        found.append(Finding("alike", "All test images are the same."))
    return found


def _of_labels(contents: Mapping[str, Contents], classes: list[str] | None) -> list[Finding]:
    kinds = {
        split: np.unique(one.labels) for split, one in contents.items() if one.labels is not None
    }
    found = []
    for split, one in kinds.items():
        count = len(contents[split].prints)
        if len(one) == 1 < count:
            found.append(Finding("one-class", (
                f"All {split} images have the label {_names(one, classes)}."
            )))  # fmt: skip
        if len(one) == count > 20:
            found.append(Finding("unique", (
                f"Each of the {count:,} {split} images has a label of its own, as a row number "
                "would be. Is it a label? If not, set --reading.label none."
            )))  # fmt: skip
    if len(kinds) == 2 and len(new := np.setdiff1d(kinds["test"], kinds["train"])):
        found.append(Finding("new-class", (
            f"No train image has these labels of test images: {_names(new, classes)}."
        )))  # fmt: skip
    return found


def _names(labels: NDArray[np.uint32], classes: list[str] | None) -> str:
    names = [str(one) if classes is None else classes[one] for one in labels[:MOST_NAMED]]
    more = len(labels) - MOST_NAMED
    return ", ".join(names) + (f" and {more:,} more" if more > 0 else "")
