"""Images and labels in several files, which are parts of one table: `train-00000-of-00002.parquet`
and on."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, LabelFile, Opened, Part

RowNames = Callable[[], list[bytes]]
SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\..+)?")
"""Names of such files, as the Hugging Face hub and TensorFlow's data sets count them."""


def are_shards(paths: Sequence[Path]) -> bool:
    """Return whether files are all parts of one table, by their names.

    Raises:
        DataError: If they are, but one is missing.
    """
    names = [SHARD.fullmatch(path.name) for path in paths]
    tables = {(path.parent, name and name.group(1, 3, 4))
              for path, name in zip(paths, names, strict=True)}  # fmt: skip
    first = names[0]
    if len(tables) > 1 or first is None:
        return False
    count = int(first[3])
    there = {int(name[2]) for name in names if name}
    missing = sorted(set(range(count)) - there)
    if missing and there != set(range(1, count + 1)):  # counted from 1
        stem, _, _, ending = first.groups("")
        files = [f"{stem}-{number:05}-of-{first[3]}{ending}" for number in missing]
        are = "is missing, a part" if len(files) == 1 else "are missing, parts"
        more = ", …" if len(files) > 3 else ""
        raise DataError(
            f"{paths[0].parent}: {', '.join(files[:3])}{more} {are} of the same table as "
            f"{paths[0].name}.",
            "Get the whole table; or rename what is there so that nothing is missing, the first "
            f"file to {stem}-00000-of-{len(paths):05}{ending}.",
        )
    return True


def roles_of_shards(role: str, paths: Sequence[Path]) -> dict[str, Path]:
    """Return a role for each part of a table: the role itself, then `train_data-00001` and on."""
    return {role if not number else f"{role}-{number:05}": path
            for number, path in enumerate(sorted(paths))}  # fmt: skip


def shards_of(role: str, files: Mapping[str, Path]) -> list[Path]:
    """Return the files of a role in their order, of which there are several if it is sharded."""
    return [path for name, path in sorted(files.items()) if name.partition("-")[0] == role]


def joined(shards: Sequence[Opened]) -> Opened:
    """Return one after the other as one.

    Raises:
        DataError: If they differ in what an image is.
    """
    first, *others = shards
    if not others:
        return first
    for other in others:
        for what, one, another in (
            ("values per image", first.images.width, other.images.width),
            ("the shape", first.images.shape, other.images.shape),
            ("labels", first.images.labelled, other.images.labelled),
            ("the form", first.images.form, other.images.form),
        ):
            if one != another:
                raise DataError(
                    f"{first.path} and {other.path}: expected parts of one table, but {what} "
                    f"differ: {_spelt(one)} and {_spelt(another)}.",
                    "Get both again from the same place; or give one alone with --data FILE.",
                )
    return Opened(_common_path(first.path), _Joined(shards).file())


def joined_labels(shards: Sequence[LabelFile]) -> LabelFile:
    """Return the labels of several files, one after the other, as one."""
    first, *others = shards
    if not others:
        return first
    values = np.concatenate([one.values for one in shards])
    form = f"{first.form}, {len(shards)} files"
    return LabelFile(form, values, row_names=_row_names([one.row_names for one in shards]))


def _row_names(readers: Sequence[RowNames | None]) -> RowNames | None:
    """Return what reads the names of all rows, if every file has some."""
    found = [one for one in readers if one is not None]
    if len(found) < len(readers):
        return None
    return lambda: [name for one in found for name in one()]


def _spelt(value: Any) -> str:
    if isinstance(value, bool):
        return "there" if value else "not there"
    return " x ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _common_path(path: Path) -> Path:
    return path.with_name(SHARD.sub(r"\1-*-of-\3\4", path.name))


class _Joined:
    """Several files as one; counts the images of each while they are read."""

    def __init__(self, shards: Sequence[Opened]) -> None:
        self._shards = shards
        self._counts: list[int] = []

    def file(self) -> ImageFile:
        files = [one.images for one in self._shards]
        counts = [one.count for one in files]
        known = [count for count in counts if count is not None]
        return ImageFile(
            f"{files[0].form}, {len(files)} files", files[0].width, files[0].shape, self._parts,
            labelled=files[0].labelled,
            count=sum(known) if len(known) == len(counts) else None,
            decisions=tuple(dict.fromkeys(made for one in files for made in one.decisions)),
            warnings=tuple(dict.fromkeys(text for one in files for text in one.warnings)),
            place=self._place, row_names=_row_names([one.row_names for one in files]),
        )  # fmt: skip

    def _parts(self, rows: int) -> Iterator[Part]:
        self._counts = []
        for one in self._shards:
            self._counts.append(0)
            for part in one.images.parts(rows):
                self._counts[-1] += len(part.pixels)
                yield part

    def _place(self, image: int, value: int) -> str:
        """Say where a value is that was read already, or that comes right after it."""
        at = 0
        while at < len(self._counts) - 1 and image >= self._counts[at]:
            image -= self._counts[at]
            at += 1
        path, images = self._shards[at]
        return f"{images.place(image, value)} of {path.name}"
