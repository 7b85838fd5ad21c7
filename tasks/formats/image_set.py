"""The files of one set of images together: images, their labels, and their noisy twins."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.labels import as_names, as_numbers
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, LabelFile


class Rows(NamedTuple):
    """Some consecutive images of a set."""

    pixels: NDArray[Any]
    """(n, width), as the file has them."""
    labels: NDArray[Any] | None
    """(n,)"""
    noisy: NDArray[Any] | None
    """(n, width): the noisy twin of each image, where the user has drawn the noise."""


@dataclass
class ImageSet:
    """Images, with what belongs to them row by row."""

    path: Path
    images: ImageFile
    labels_path: Path | None = None
    labels: LabelFile | None = None
    noisy_path: Path | None = None
    noisy: ImageFile | None = None
    disagreements: int = 0
    """Labels beside the pixels, of those read so far, that the file of labels contradicts."""

    @property
    def labelled(self) -> bool:
        """Whether each image has a label."""
        return self.labels is not None or self.images.labelled

    def rows(self, most: int) -> Iterator[Rows]:
        """Yield all images in order, at most `most` at a time.

        Raises:
            DataError: If there are not as many labels, or noisy images, as images; also whatever
                is wrong with a file.
        """
        count = self.disagreements = 0
        twins = None if self.noisy is None else _Stream(self.noisy, most)
        for pixels, inside in self.images.parts(most):
            start, count = count, count + len(pixels)
            labels = inside
            if self.labels is not None:
                labels = self.labels.values[start:count]
                if len(labels) < len(pixels):
                    raise self._too_many_images(len(self.labels.values))
                if inside is not None:
                    self.disagreements += _differences(labels, inside)
            noisy = None if twins is None else twins.take(len(pixels))
            if noisy is not None and len(noisy) < len(pixels):
                raise self._unpaired(start + len(noisy), "noisy images")
            yield Rows(pixels, None if labels is None else as_numbers(labels), noisy)
        if not count:
            raise DataError(f"{self.path}: there are no images. Expected at least one.")
        if self.labels is not None and len(self.labels.values) > count:
            raise self._too_many_labels(count)
        if twins is not None and len(twins.take(1)):
            raise self._unpaired(count, "clean images")

    def _too_many_images(self, labels: int) -> DataError:
        assert self.labels_path is not None
        return DataError(
            f"{self.path}, {self.images.place(labels, 0)}: one image too many. "
            f"{self.labels_path.name} has {labels:,} labels; expected as many as images, in the "
            "same order.",
            "Remove the extra images or add the missing labels.",
        )

    def _too_many_labels(self, images: int) -> DataError:
        assert self.labels is not None
        count = len(self.labels.values)
        advice = "Remove the extra labels or add the missing images."
        if count == images + 1 and as_names(self.labels.values[:1]) == ["0"]:
            advice += (
                " If the 0 in its first row is a header (pandas writes one above a column without "
                "a name), write the labels with to_csv(header=False, index=False)."
            )
        return DataError(
            f"{self.labels_path}, {self.labels.place(images)}: one label too many. "
            f"{self.path.name} has {images:,} images and there are {count:,} labels; expected the "
            "same number, in the same order.",
            advice,
        )

    def _unpaired(self, count: int, fewer: str) -> DataError:
        return DataError(
            f"{self.path} and {self.noisy_path}: there are only {count:,} {fewer}; expected as "
            "many clean images as noisy ones, in the same order.",
            "Add the missing images or remove the extra ones.",
        )


class _Stream:
    """Images of a file in portions that somebody else decides."""

    def __init__(self, images: ImageFile, most: int) -> None:
        self._parts = (part.pixels for part in images.parts(most))
        self._left: NDArray[Any] = np.empty((0, images.width), np.uint8)

    def take(self, count: int) -> NDArray[Any]:
        """Return the next images, fewer than `count` only at the end."""
        parts, missing = [self._left], count - len(self._left)
        while missing > 0 and (part := next(self._parts, None)) is not None:
            parts.append(part)
            missing -= len(part)
        joined = np.concatenate([part for part in parts if len(part)] or parts[:1])
        self._left = joined[count:]
        return joined[:count]


def _differences(labels: NDArray[Any], others: NDArray[Any]) -> int:
    return sum(one != other for one, other in zip(as_names(labels), as_names(others), strict=True))
