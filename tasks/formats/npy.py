"""NPY files in parts: written and read without ever holding, or mapping, the whole array."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray


class NpyWriter:
    """Writes a NPY file whose shape is known, rows after rows.

    A memory map would do it too, but the pages it has written count as this process's memory.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Open `path` and write the header."""
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._missing = shape[0]
        self._file = path.open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, rows: NDArray[Any]) -> None:
        """Append `rows`, shape (m, *shape[1:])."""
        if rows.dtype != self.dtype or rows.shape[1:] != self.shape[1:]:
            raise ValueError(f"`rows` must be {self.dtype} (m, {self.shape[1:]}). "
                             f"Received: {rows.dtype} {rows.shape}")  # fmt: skip
        self._file.write(np.ascontiguousarray(rows).data)
        self._missing -= len(rows)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file.

        Raises:
            ValueError: If rows are missing or too many.
        """
        self._file.close()
        if kind is None and self._missing:
            raise ValueError(f"{self.path}: {self._missing} of {self.shape[0]} rows are missing.")


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a whole array, as np.save does, which hides why a disk takes no more."""
    with NpyWriter(path, array.shape, array.dtype) as writer:
        writer.write(array)


def batch_rows(row_bytes: int, size: int) -> int:
    """Return how many rows of `row_bytes` make a batch of at most `size` bytes; 1 at least."""
    return max(1, size // row_bytes)


def read_batches(path: Path, size: int) -> Iterator[NDArray[Any]]:
    """Yield the array in `path` as copies of some rows each, `size` bytes at most or one row."""
    array = np.load(path, mmap_mode="r")
    count, rows = len(array), batch_rows(array[:1].nbytes, size)
    del array  # the pages that a map has touched count as memory: a new one each time
    for start in range(0, count, rows):
        yield np.array(np.load(path, mmap_mode="r")[start : start + rows])


def read_rows(path: Path, rows: NDArray[np.int64], size: int) -> Iterator[NDArray[Any]]:
    """Yield copies of chosen rows, some at a time, `size` bytes at most or one row."""
    step = batch_rows(np.load(path, mmap_mode="r")[:1].nbytes, size)
    for start in range(0, len(rows), step):
        yield np.load(path, mmap_mode="r")[rows[start : start + step]]
