"""Folders of pictures, one file per image, with a folder per class or without classes."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.shape import Sides
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, Part
from tasks.formats.label_arrays import word_labels
from tasks.formats.picture_files import BrokenPictureError, Picture, decode
from tasks.formats.picture_sets import Target, Traits, settle, shown, traits_of

ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".webp"}
)
SHEET = "before_after.png"
"""The sheet that lies beside denoised pictures; it is none of them."""
ASIDE = frozenset({"__macosx", "thumbs.db", "desktop.ini", SHEET})
"""What systems and programs leave in folders, in lower case; hidden files and folders too."""
AT_A_TIME = 512
"""Pictures that are decoded side by side before any is looked at."""


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, through links, by their place in it; none left aside."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_aside(name)]
        inside = Path(place).relative_to(folder)
        yield from (inside / name for name in files if not is_aside(name))


def find_pictures(folder: Path) -> list[str]:
    """Return the relative names of all picture files below a folder, by their endings, sorted."""
    return sorted(file.as_posix() for file in files_below(folder) if file.suffix.lower() in ENDINGS)


def read_pictures(folder: Path, image: Sides | None = None) -> ImageFile:
    """Open a folder of pictures.

    Every picture is decoded once to look at it, and again in each reading. The order is that of the
    names; the class of a picture is the first folder on its way, unless all share it.

    Args:
        folder: Where they are.
        image: Height and width to which all are scaled, and channels; what is None there is as the
            pictures have it.

    Raises:
        DataError: If there is no picture that can be read, if they differ in size and none is
            given, or if some lie beside the folders of classes.
    """
    every = find_pictures(folder)
    if not every:
        raise DataError(
            f"{folder}: no picture below it ({', '.join(sorted(ENDINGS))}).",
            "Give a folder of pictures, with a folder for each class or without classes.",
        )
    traits, broken = _looked_at(folder, every)
    target = settle(folder, traits, image)
    names = [one.name for one in traits]
    classes = _classes(folder, names)
    labels = None if classes is None else word_labels(classes)

    def parts(rows: int) -> Iterator[Part]:
        for start in range(0, len(names), rows):
            pixels = _pixels(folder, names[start : start + rows], target)
            yield Part(pixels, None if labels is None else labels[start : start + rows])

    def place(index: int, value: int) -> str:
        row, rest = divmod(value, target.shape[1] * target.shape[2])
        return f"{names[index]}, row {row + 1}, column {rest // target.shape[2] + 1}"

    return ImageFile(
        target.form, target.width, target.shape, parts, labelled=labels is not None,
        count=len(names), decisions=target.decisions,
        warnings=(*_broken(broken, every), *target.warnings), place=place, names=names,
    )  # fmt: skip


def _looked_at(folder: Path, every: Sequence[str]) -> tuple[list[Traits], list[str]]:
    """Decode every picture once; return what is to be known of each, and which are broken."""
    traits: list[Traits] = []
    broken: list[str] = []
    for name, picture in _decoded(folder, every):
        if isinstance(picture, Picture):
            traits.append(traits_of(name, picture))
        else:
            broken.append(name)
    if not traits:
        raise DataError(
            f"{folder}: none of its {len(every):,} pictures can be read ({shown(broken)}).",
            "Copy or download them again.",
        )
    return traits, broken


def _pixels(folder: Path, names: Sequence[str], target: Target) -> NDArray[Any]:
    """Decode some pictures, (n, width)."""
    pixels = np.empty((len(names), target.width), target.dtype)
    for row, (name, picture) in zip(pixels, _decoded(folder, names), strict=True):
        if not isinstance(picture, Picture):
            raise _changed(folder, name)
        row[:] = target.row(picture)
    return pixels


def is_aside(name: str) -> bool:
    """Return whether a file or folder of this name is no part of a set of pictures."""
    return name.startswith(".") or name.lower() in ASIDE


def _decoded(
    folder: Path, names: Sequence[str]
) -> Iterator[tuple[str, Picture | BrokenPictureError]]:
    """Yield pictures in their order, decoded in threads, or why one cannot be read."""

    def attempt(name: str) -> Picture | BrokenPictureError:
        try:
            return decode(folder / name)
        except BrokenPictureError as error:
            return error

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for start in range(0, len(names), AT_A_TIME):
            some = names[start : start + AT_A_TIME]
            yield from zip(some, pool.map(attempt, some), strict=True)


def _classes(folder: Path, names: Sequence[str]) -> list[str] | None:
    """Return the class of each picture; None if there are no classes."""
    ways = [name.split("/") for name in names]
    extremes = zip(min(ways)[:-1], max(ways)[:-1], strict=False)  # all others lie between them
    shared = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], extremes)))
    depths = [len(way) - shared for way in ways]
    if max(depths) == 1:
        return None
    if min(depths) == 1:
        beside = [name for name, depth in zip(names, depths, strict=True) if depth == 1]
        raise DataError(
            f"{folder}: {len(beside):,} pictures are next to folders of other pictures "
            f"({shown(beside)}); expected a folder for each class, or no folders at all.",
            "Move them into the folder of their class, or out of the way.",
        )
    return [_printable(way[shared]) for way in ways]


def _printable(name: str) -> str:
    """Replace what is no text in a name, as of a file from a system with another encoding."""
    return os.fsencode(name).decode("utf-8", "replace")


def _broken(broken: Sequence[str], every: Sequence[str]) -> Iterable[str]:
    # Without the folder: equal pictures elsewhere are the same input, with the same warnings
    if broken:
        some = shown(map(_printable, broken))
        yield (
            f"{len(broken):,} of {len(every):,} pictures cannot be read and are left out: {some}."
        )


def _changed(folder: Path, name: str) -> DataError:
    return DataError(
        f"{folder / name}: it could be read a moment ago, but not now.",
        "Run again when nothing writes to the folder any more.",
    )
