"""Parquet files of images as people bring them: a column per pixel, arrays, or encoded pictures."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from autoencoders.images.shape import Sides
from tasks.formats.errors import DataError, refusing_damage
from tasks.formats.image_file import ImageFile, Part
from tasks.formats.label_arrays import label_values, word_labels
from tasks.formats.layouts import Layout, layout_of, plain
from tasks.formats.picture_files import BrokenPictureError, decode
from tasks.formats.picture_sets import settle, traits_of
from tasks.formats.table_columns import Columns, choose_columns, is_binary, is_list, is_number

if TYPE_CHECKING:
    from autoencoders.settings import ReadingSettings

MAGIC = b"PAR1"
BUFFER = 1 << 16
"""Bytes of each column that are read at a time."""
ROWS = 256
"""Rows of encoded pictures that are read at a time."""
VALUES = 1 << 22
"""Values that are read at a time: while Arrow decodes lists, each takes a dozen bytes."""


def read_parquet(path: Path, reading: "ReadingSettings", image: Sides) -> ImageFile:
    """Open a Parquet file of images.

    Args:
        path: The file.
        reading: Which column is the label, where looking is not to decide.
        image: Height, width and channels that are given.

    Raises:
        DataError: If it is damaged, or its columns are no images; while it is read, if a value is
            missing.
    """
    schema, count = _schema(path)
    if not count:
        raise DataError(f"{path}: it has no rows.", "Get it again.")
    columns = choose_columns(path, schema, reading, image)
    if columns.whole and is_encoded(path, columns.pixels[0], schema):
        return _pictures(path, columns, count, image)
    return _numbers(path, columns, count)


def _numbers(path: Path, columns: Columns, count: int) -> ImageFile:
    """Open columns of numbers: one per value, or one of arrays."""
    width, shape, decisions = len(columns.pixels), None, columns.decisions
    layout: Layout | None = None
    if columns.whole:
        first = next(_batches(path, columns, 1))
        layout = layout_of(path, (count, *_array_of(path, columns, first, 0).shape[1:]))
        width, shape = layout.width, layout.shape
        decisions += layout.decisions

    def parts(rows: int) -> Iterator[Part]:
        few = min(rows, max(1, VALUES // width))
        for start, batch in _numbered(_batches(path, columns, few)):
            if layout is None:
                pixels = _table_of(path, columns, batch, start)
            else:
                pixels = _array_of(path, columns, batch, start)
                if pixels.shape[1:] != layout.dimensions[1:]:
                    raise _differ(path, columns.pixels[0], start)
                pixels = layout.rows(pixels)
            yield Part(pixels, _labels_of(path, columns, batch, start))

    def place(index: int, value: int) -> str:
        column = f"value {value + 1:,} of column {columns.pixels[0]}"
        return f"row {index + 1:,}, " + (column if layout else f"column {columns.pixels[value]}")

    return ImageFile(
        "Parquet", width, shape, parts, labelled=columns.label is not None, count=count,
        decisions=decisions, place=place,
    )  # fmt: skip


def _pictures(path: Path, columns: Columns, count: int, image: Sides) -> ImageFile:
    """Open a column of encoded pictures, as data sets of the Hugging Face hub have it."""
    traits = [
        traits_of(f"row {start + index + 1:,}", _decoded(path, columns, content, start + index))
        for start, batch in _numbered(_batches(path, columns, ROWS))
        for index, content in enumerate(_contents(batch.column(columns.pixels[0])))
    ]
    target = settle(path, traits, image)

    def parts(rows: int) -> Iterator[Part]:
        for start, batch in _numbered(_batches(path, columns, min(rows, ROWS))):
            contents = _contents(batch.column(columns.pixels[0]))
            pixels = np.stack([
                target.row(_decoded(path, columns, content, start + index))
                for index, content in enumerate(contents)
            ])  # fmt: skip
            yield Part(pixels, _labels_of(path, columns, batch, start))

    return ImageFile(
        f"Parquet, {target.form}", target.width, target.shape, parts,
        labelled=columns.label is not None, count=count,
        decisions=(*columns.decisions, *target.decisions), warnings=target.warnings,
        place=lambda index, value: f"row {index + 1:,}",
    )  # fmt: skip


def _schema(path: Path) -> tuple[pa.Schema, int]:
    with _refusing_damage(path), pq.ParquetFile(path) as file:
        return file.schema_arrow, file.metadata.num_rows


def _batches(path: Path, columns: Columns, rows: int) -> Iterator[pa.RecordBatch]:
    wanted = [*columns.pixels, *([columns.label] if columns.label is not None else [])]
    # Through a buffer: else whole columns of a row group, of which a file may have only one
    with (
        _refusing_damage(path),
        pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file,
    ):
        yield from file.iter_batches(rows, columns=wanted, use_threads=True)


def _refusing_damage(path: Path) -> AbstractContextManager[None]:
    return refusing_damage(partial(_damaged, path), pa.ArrowException)


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    start = 0
    for batch in batches:
        yield start, batch
        start += batch.num_rows


def is_encoded(path: Path, name: str, schema: pa.Schema) -> bool:
    """Return whether a column holds encoded pictures, not arrays or plain bytes."""
    kind = schema.field(name).type
    if pa.types.is_struct(kind):
        return True
    if not is_binary(kind):
        return False
    batch = next(_batches(path, Columns((name,), True, None, ()), 1))
    try:
        decode(_contents(batch.column(name))[0] or b"")
    except BrokenPictureError:
        return False
    return True


def _array_of(path: Path, columns: Columns, batch: pa.RecordBatch, start: int) -> NDArray[Any]:
    """Return the arrays of some rows, (n, ...), from a column of lists or of plain bytes."""
    name = columns.pixels[0]
    column = batch.column(name)
    _refuse_missing(path, name, column, start)
    sizes: list[int] = []
    if is_binary(column.type):
        contents = _contents(column)
        if len({len(content or b"") for content in contents}) > 1:
            raise _differ(path, name, start)
        pixels = np.frombuffer(b"".join(content or b"" for content in contents), np.uint8)
        return pixels.reshape(len(contents), -1)
    rows = len(column)
    while is_list(column.type):
        lengths = np.unique(np.asarray(column.value_lengths()))
        if len(lengths) > 1:
            raise _differ(path, name, start)
        sizes.append(int(lengths[0]))
        column = column.flatten()
        _refuse_missing(path, name, column, start, max(1, math.prod(sizes)))
    return plain(_numpy(column)).reshape(rows, *sizes)


def _table_of(path: Path, columns: Columns, batch: pa.RecordBatch, start: int) -> NDArray[Any]:
    """Return the values of some rows, (n, width), from a column per value."""
    values = []
    for name in columns.pixels:
        column = batch.column(name)
        _refuse_missing(path, name, column, start)
        values.append(plain(_numpy(column)))
    kind = np.result_type(*{one.dtype for one in values})
    pixels = np.empty((batch.num_rows, len(values)), kind)
    for index, one in enumerate(values):
        pixels[:, index] = one
    return pixels


def _labels_of(
    path: Path, columns: Columns, batch: pa.RecordBatch, start: int
) -> NDArray[Any] | None:
    if columns.label is None:
        return None
    column = batch.column(columns.label)
    _refuse_missing(path, columns.label, column, start)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_number(column.type):
        return label_values(path, _numpy(column), f"column {columns.label}")
    return word_labels([str(value) for value in column.to_pylist()])


def _numpy(column: pa.Array) -> NDArray[Any]:
    # Arrow's own way from yes and no to NumPy needs a copy
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def _contents(column: pa.Array) -> list[bytes | None]:
    if pa.types.is_struct(column.type):
        column = column.field("bytes")
    contents: list[bytes | None] = column.to_pylist()
    return contents


def _decoded(path: Path, columns: Columns, content: bytes | None, row: int) -> Any:
    try:
        return decode(content or b"")
    except BrokenPictureError as error:
        raise DataError(
            f"{path}, row {row + 1:,}, column {columns.pixels[0]}: not a readable picture "
            f"({error}).",
            "Remove the row, or get the file again; where the pictures are files beside it, give "
            "their folder.",
        ) from error


def _refuse_missing(path: Path, name: str, column: pa.Array, start: int, each: int = 1) -> None:
    """Refuse a value that is missing, in a column of `each` values per row."""
    if column.null_count:
        row = start + int(np.flatnonzero(np.asarray(column.is_null()))[0]) // each
        raise DataError(
            f"{path}, row {row + 1:,}, column {name}: the value is missing.",
            "Fill it in, or remove the row.",
        )


def _differ(path: Path, name: str, start: int) -> DataError:
    return DataError(
        f"{path}, column {name}: the images differ in size, from row {start + 1:,} on at the "
        "latest.",
        "Bring all to one size, and save the file again.",
    )


def _damaged(path: Path, error: Exception) -> DataError:
    reason = str(error).splitlines()[0].rstrip(".")
    return DataError(
        f"{path}: a Parquet file that cannot be read: {reason}.",
        "Copy or download it again, whole.",
    )
