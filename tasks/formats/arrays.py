"""NumPy's files of arrays, `.npy` and `.npz`, as people bring them. Nothing is ever unpickled.

Arrays are read as streams, also out of archives. One in Fortran order, where the values of an image
are scattered over the file, is mapped into memory, from a temporary file if it is compressed.
"""

import contextlib
import math
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tasks.formats.array_roles import Roles, find_roles
from tasks.formats.compression import described, kind, opened, zip_names
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, LabelFile, Part
from tasks.formats.label_arrays import label_values
from tasks.formats.layouts import Layout, layout_of, plain, read_exactly, stream_rows

ENDING = ".npy"
MAGIC = b"\x93NUMPY"
KINDS = "buif"
"""Yes and no, whole numbers, real numbers."""
LONGEST_HEADER = 1 << 16
NO_HEADER = (ValueError, TypeError, SyntaxError, KeyError, RecursionError, MemoryError, TokenError)
"""What NumPy raises for a header that is none: it parses it as a literal of Python."""
MOST_LABELS = 1 << 30
"""Bytes that an array of labels may have."""


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, of which only the header has been read."""

    path: Path
    member: str | None
    """Its file in the archive; None if the file is the array."""
    dtype: np.dtype[Any]
    dimensions: tuple[int, ...]
    fortran: bool
    start: int
    """Bytes before its values."""

    @property
    def name(self) -> str:
        """What a message calls it."""
        return "the array" if self.member is None else f"the array {bare_name(self.member)}"


def is_npz(path: Path) -> bool:
    """Return whether a file is an archive of arrays, by the names in it."""
    names = zip_names(path)
    return bool(names) and all(name.endswith(ENDING) for name in names or ())


def read_npy(path: Path) -> ImageFile:
    """Open an array of images, plain or compressed.

    Raises:
        DataError: If it is no array of numbers, or its dimensions are not those of images; while it
            is read, if it is cut short or too long.
    """
    return _image_file(array_header(path), described("NumPy array", path))


def npy_labels(path: Path) -> LabelFile:
    """Read an array of labels: numbers or words, (n,) or (n, 1), or one-hot rows.

    Raises:
        DataError: If it is none.
    """
    return LabelFile(described("NumPy array", path), _labels(array_header(path)))


def read_npz(path: Path) -> dict[str, ImageFile]:
    """Open the images of an archive of arrays, with their labels if it has them.

    Returns:
        `train` and `test` where the archive has both, else all images as `data`.

    Raises:
        DataError: If it does not say which of its arrays are images, labels and test images.
    """
    arrays = {bare_name(name): array_header(path, name) for name in zip_names(path) or ()}
    roles = find_roles(path, {name: (one.dimensions, one.dtype) for name, one in arrays.items()})
    return {split: _joined(arrays, role) for split, role in roles.items()}


def npz_labels(path: Path) -> LabelFile:
    """Read the labels of an archive that has one array of them and no images.

    Raises:
        DataError: If it has more arrays than one.
    """
    names = zip_names(path) or ()
    if len(names) != 1:
        raise DataError(
            f"{path}: an archive of {len(names)} arrays ({', '.join(map(bare_name, names))}); "
            "expected one, of labels.",
            f"Save the labels by themselves: np.savez({path.name!r}, labels).",
        )
    return LabelFile(
        f"NumPy archive, array {bare_name(names[0])}", _labels(array_header(path, names[0]))
    )


def bare_name(member: str) -> str:
    """Return what an array of an archive is called, by the name of its file there."""
    return member.removesuffix(ENDING)


def _joined(arrays: dict[str, StoredArray], role: Roles) -> ImageFile:
    """Return the images of one split, with the labels that belong to them."""
    images = arrays[role.images]
    form = f"NumPy archive, array {role.images}"
    labels = None
    if role.labels is not None:
        labels = _labels(arrays[role.labels])
        form += f", labels {role.labels}"
        layout_of(images.path, images.dimensions, images.name)  # the images may be its last axis
        if len(labels) != images.dimensions[0]:
            raise DataError(
                f"{images.path}: {role.images} has {images.dimensions[0]:,} images and "
                f"{role.labels} has {len(labels):,} labels; expected the same number, in the same "
                "order.",
                "Save them again with one label per image, or leave the labels out.",
            )
    return _image_file(images, form, labels, role.warnings)


def _image_file(
    array: StoredArray,
    form: str,
    labels: NDArray[Any] | None = None,
    warnings: tuple[str, ...] = (),
) -> ImageFile:
    _check_numbers(array)
    layout = layout_of(array.path, array.dimensions, array.name)

    def parts(rows: int) -> Iterator[Part]:
        start = 0
        for pixels in _rows(array, layout, rows):
            own = None if labels is None else labels[start : start + len(pixels)]
            yield Part(pixels, own)
            start += len(pixels)

    return ImageFile(
        form, layout.width, layout.shape, parts, labelled=labels is not None, count=layout.count,
        decisions=layout.decisions, warnings=warnings,
    )  # fmt: skip


def _rows(array: StoredArray, layout: Layout, rows: int) -> Iterator[NDArray[Any]]:
    """Yield flattened images, (m, width)."""
    if not array.fortran:
        with opened(array.path, array.member) as file:
            file.read(array.start)
            yield from stream_rows(array.path, file, array.dtype, layout, rows)
        return
    with _mappable(array) as (file, offset):
        for start in range(0, layout.count, rows):
            # The pages that a map has touched count as memory: a new one each time
            values = np.memmap(file, array.dtype, "r", offset, array.dimensions, order="F")
            yield layout.rows(plain(np.array(values[start : start + rows], order="C")))


@contextlib.contextmanager
def _mappable(array: StoredArray) -> Iterator[tuple[IO[bytes], int]]:
    """Yield a file that can be mapped, and where in it the values begin."""
    size = math.prod(array.dimensions) * array.dtype.itemsize
    if array.member is None and not kind(array.path):
        with array.path.open("rb") as file:
            _check_size(array, array.path.stat().st_size - array.start, size)
            yield file, array.start
        return
    with tempfile.TemporaryFile() as file:
        with opened(array.path, array.member) as source:
            source.read(array.start)
            shutil.copyfileobj(source, file)
        file.flush()
        _check_size(array, file.tell(), size)
        yield file, 0


def _check_size(array: StoredArray, found: int, expected: int) -> None:
    if found != expected:
        raise DataError(
            f"{array.path}: {array.name} should take {expected:,} bytes, but {found:,} are there.",
            "Copy or download it again, whole.",
        )


def _labels(array: StoredArray) -> NDArray[Any]:
    if array.dtype.kind not in "SU":
        _check_numbers(array)
    expected = math.prod(array.dimensions) * array.dtype.itemsize
    if expected > MOST_LABELS:
        sizes = " x ".join(f"{size:,}" for size in array.dimensions)
        raise DataError(
            f"{array.path}: {array.name} is {sizes}: images, not labels.",
            "Give a file of one label per image, or none.",
        )
    with opened(array.path, array.member) as file:
        file.read(array.start)
        content = read_exactly(file, expected + 1)
    _check_size(array, len(content), expected)
    values = np.frombuffer(content, array.dtype)
    if array.fortran:
        values = values.reshape(array.dimensions[::-1]).T
    else:
        values = values.reshape(array.dimensions)
    return label_values(array.path, plain(values), array.name)


def _check_numbers(array: StoredArray) -> None:
    if array.dtype.kind in KINDS:
        return
    if array.dtype.hasobject:
        raise DataError(
            f"{array.path}: {array.name} holds Python objects (a pickle), which can run code when "
            "it is read; expected numbers.",
            "If you trust it, write it as numbers: np.save(FILE, np.stack([np.asarray(image, "
            "float) for image in np.load(FILE, allow_pickle=True)])).",
        )
    raise DataError(
        f"{array.path}: {array.name} holds values of type {array.dtype}; expected real numbers.",
        "Save it as numbers: np.save(FILE, images.astype(float)).",
    )


def array_header(path: Path, member: str | None = None) -> StoredArray:
    """Read the header of an array, in a file or an archive.

    Raises:
        DataError: If it is none.
    """
    with opened(path, member) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that Python 2 has written it
        counted = _Counted(file)
        try:
            version = np.lib.format.read_magic(counted)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0  # 3.0 differs in names of columns alone
            )
            dimensions, fortran, dtype = read(counted)
        except NO_HEADER as error:
            reason = "".join(str(error).splitlines()[:1]).rstrip(".") or type(error).__name__
            raise DataError(
                f"{path}: {'' if member is None else f'{bare_name(member)}: '}not a NumPy array "
                f"that can be read: {reason}.",
                "Copy or download it again, or save it again with np.save.",
            ) from error
    # An array with fewer than two axes has both orders; one of an axis less than nothing has none
    if any(size < 0 for size in dimensions):
        raise DataError(f"{path}: its header is damaged.", "Copy or download it again.")
    return StoredArray(
        path, member, dtype, dimensions, fortran and len(dimensions) > 1, counted.count
    )


class _Counted:
    """A stream that knows how much was read of it, and of which little is read at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Read `size` bytes at most.

        Raises:
            ValueError: If a header asks for more than any has.
        """
        if not 0 <= size <= LONGEST_HEADER:
            raise ValueError(f"its header announces {size:,} bytes of itself")
        content = self._file.read(size)
        self.count += len(content)
        return content
