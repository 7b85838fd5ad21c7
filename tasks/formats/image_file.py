"""A file or folder of images, opened: what it says of itself, and its images as a stream.

Every reader of this package returns one, so that whoever ingests knows no format.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray


class Part(NamedTuple):
    """Some consecutive images."""

    pixels: NDArray[Any]
    """(n, width) of any real dtype: the values as the file has them, neither scaled nor rounded."""
    labels: NDArray[Any] | None
    """(n,) whole numbers or text as the file has them; None if the file has no labels."""


def counted(image: int, value: int) -> str:
    """Say where a value is by counting images and values; both arguments count from 0."""
    return f"image {image + 1:,}, value {value + 1:,}"


@dataclass(frozen=True)
class ImageFile:
    """Rows of flattened images, read as often as needed, in memory that does not grow with them."""

    form: str
    """What it is, in the words of the field: "IDX, gzipped"; "CSV, semicolons, header line"."""
    width: int
    """Values per image, the label and other columns not counted."""
    shape: tuple[int, int, int] | None
    """(height, width, channels) if the file itself says so; None if it only has a width."""
    parts: Callable[[int], Iterator[Part]]
    """Takes the most rows per part and yields all images in order; may be called again."""
    labelled: bool = False
    """Whether its parts carry labels."""
    count: int | None = None
    """Number of images, if that is known without reading them all."""
    decisions: tuple[tuple[str, str, str], ...] = field(default=())
    """What was decided by looking: (what, why, the option that decides otherwise or empty)."""
    warnings: tuple[str, ...] = field(default=())
    """What its owner should know, such as pictures that cannot be read."""
    place: Callable[[int, int], str] = counted
    """Takes the index of an image and of one of its values, both from 0, and says where that is in
    the file: "row 20, column 64"; only called to complain."""
    names: Sequence[str] = ()
    """The name of each image, where each is a file of its own; empty elsewhere."""
    row_names: Callable[[], list[bytes]] | None = None
    """Reads the names that a table has for its rows; None if it has none."""


class Opened(NamedTuple):
    """A file of images, and where it is."""

    path: Path
    images: ImageFile


def counted_label(index: int) -> str:
    """Say where a label is by counting; the argument counts from 0."""
    return f"label {index + 1:,}"


@dataclass(frozen=True)
class LabelFile:
    """The labels of some images, in a file of their own."""

    form: str
    """What it is, as in `ImageFile`."""
    values: NDArray[Any]
    """(n,) whole numbers or text, as in `Part`; of one-hot rows, the column of the one."""
    place: Callable[[int], str] = counted_label
    """Takes the index of a label, from 0, and says where that is: "row 20, column 1"."""
    row_names: Callable[[], list[bytes]] | None = None
    """As in `ImageFile`."""
