"""Tables of text as images: CSV and its relatives, streamed, parsed in threads, all values checked.

`csv_table` recognises the form by the first lines, `csv_columns` tells pixels from labels, and
`csv_values` reads; what contradicts them later in the file is refused by `csv_errors`.
"""

import itertools
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.formats.compression import described
from tasks.formats.csv_columns import find_columns
from tasks.formats.csv_errors import column_of
from tasks.formats.csv_table import Table, open_table
from tasks.formats.csv_text import longest_line
from tasks.formats.csv_transposed import is_transposed, transposed
from tasks.formats.csv_values import Form, Rows, form_of, parse
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, Part

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings, ReadingSettings

AHEAD = 1 << 24
"""Bytes of text in the threads at a time, each of which takes six more; a longer line is alone."""


def read_csv(path: Path, reading: "ReadingSettings", image: "ImageSettings") -> ImageFile:
    """Open a table of images: one per row, or one per column if it is transposed.

    Parts are uint8 as long as all values are whole numbers from 0 to 255, and float64 from the
    first other one on. Labels are int64, or text.

    Args:
        path: The file, compressed or not.
        reading: What is set of its header, label column, row numbers and direction.
        image: What is set of the shape of an image.

    Raises:
        DataError: If it is no such table, here or while its parts are read.
    """
    table = opened_table(path, reading, image)
    if is_transposed(table, reading.rows):
        return transposed(table, parsed)
    columns = find_columns(table, reading.label, reading.index, image)
    form, names = form_of(table, columns), columns.row_names
    return ImageFile(
        form=described(", ".join(("CSV", *table.described)), path),
        width=columns.width,
        shape=columns.shape,
        parts=partial(_parts, form),
        labelled=columns.labelled,
        decisions=(*table.decisions, *columns.decisions),
        warnings=columns.warnings,
        place=partial(_place, form),
        row_names=None if names is None else lambda: table.cells_of(names),
    )


def opened_table(path: Path, reading: "ReadingSettings", image: "ImageSettings") -> Table:
    """Recognise the form of a table, whose lines may be as long as its images are large.

    Raises:
        DataError: If it is no table.
    """
    values = None
    if image.height and image.width:
        values = image.height * image.width * (image.channels or 4)
    return open_table(path, reading.header, longest_line(values))


def parsed(form: Form) -> Iterator[Rows]:
    """Yield the rows of a table, block by block.

    Raises:
        DataError: For the first row that is wrong.
    """
    with ThreadPoolExecutor(threads := min(4, os.cpu_count() or 1)) as pool:
        ahead: deque[Future[Rows]] = deque()
        try:
            for block in form.table.blocks(form.block):
                ahead.append(pool.submit(parse, block, form))
                while len(ahead) > 2 * threads or len(ahead) * len(block.text) > AHEAD:
                    yield ahead.popleft().result()
        except DataError:  # what is wrong before that comes first
            yield from (one.result() for one in ahead)
            raise
        yield from (one.result() for one in ahead)


def _parts(form: Form, size: int) -> Iterator[Part]:
    """Yield all rows in parts of `size`, the last one shorter, and so where floats begin."""
    joining, order = _Joining(size), form.columns.order
    rows: Iterator[Rows] = parsed(form)
    if form.columns.index is not None:
        rows = _counted(form, rows)
    for some in rows:
        pixels = some.pixels if order is None else some.pixels[:, order]
        yield from joining.add(pixels, some.labels)
    yield from joining.rest()


class _Joining:
    """Joins blocks of rows to parts of equal size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pixels: NDArray[Any] | None = None
        self._labels: list[NDArray[Any]] = []
        self._filled = 0

    def add(self, pixels: NDArray[Any], labels: NDArray[Any] | None) -> Iterator[Part]:
        """Yield the parts that are full with these rows."""
        if self._pixels is None:
            self._pixels = np.empty((self._size, pixels.shape[1]), pixels.dtype)
        if pixels.dtype != self._pixels.dtype and self._pixels.dtype == np.uint8:
            yield from self.rest()  # floats from here on
            self._pixels = np.empty(self._pixels.shape, pixels.dtype)
        start = 0
        while start < len(pixels):
            taken = slice(start, start + self._size - self._filled)
            count = len(pixels[taken])
            self._pixels[self._filled : self._filled + count] = pixels[taken]
            if labels is not None:
                self._labels.append(labels[taken])
            start, self._filled = start + count, self._filled + count
            if self._filled == self._size:
                yield from self.rest()
                self._pixels = np.empty_like(self._pixels)

    def rest(self) -> Iterator[Part]:
        """Yield what is there, if anything is."""
        if self._pixels is not None and self._filled:
            labels = np.concatenate(self._labels) if self._labels else None
            yield Part(self._pixels[: self._filled], labels)
        self._filled, self._labels = 0, []


def _counted(form: Form, blocks: Iterator[Rows]) -> Iterator[Rows]:
    """Pass rows on whose numbers in the first column go on counting.

    Raises:
        DataError: At the first one that does not: the column is something else.
    """
    expected: int | None = None
    for rows in blocks:
        assert rows.numbers is not None
        numbers = rows.numbers
        if expected is None and len(numbers):
            # The name of a column that has none stands above, where an image was made a header
            expected = int(numbers[0]) if numbers[0] >= 0 else int(numbers[1:2].sum()) - 1
            numbers[0] = expected
        if expected is not None:
            wrong = np.flatnonzero(numbers != np.arange(expected, expected + len(numbers)))
            if len(wrong):
                at = int(wrong[0])
                raise _no_count(form, rows.lines()[at], expected + at, int(numbers[at]))
            expected += len(numbers)
        yield rows


def _no_count(form: Form, row: int, expected: int, found: int) -> DataError:
    got = f"{found}" if found >= 0 else "something else"
    return DataError(
        f"{form.path}, row {row}, column 1: the column counts the rows before this one, so "
        f"{expected} was expected, but {got} stands here.",
        "If the column holds row numbers all the same, give --reading.index yes, which leaves it "
        "out; if it does not, --reading.index no.",
    )


def _place(form: Form, image: int, value: int) -> str:
    row, _ = next(itertools.islice(form.table.lines(), image, None))
    if form.columns.order is not None:
        value = form.columns.order[value]
    return f"row {row}, {column_of(form.columns, value)}"
