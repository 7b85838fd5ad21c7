"""Parquet files written again with other images: other columns, types and metadata stay."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.formats.errors import DataError
from tasks.formats.layouts import Layout, layout_of
from tasks.formats.parquet import is_encoded
from tasks.formats.table_columns import Columns, choose_columns, is_list

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings, ReadingSettings

ROWS = 1024
"""Rows that are read at a time."""


class ParquetRewriter:
    """A Parquet file of images that can be written again."""

    def __init__(self, path: Path, reading: "ReadingSettings", image: "ImageSettings") -> None:
        """Find the columns of the images, as `read_parquet` does.

        Raises:
            DataError: If they are encoded pictures.
        """
        with pq.ParquetFile(path) as file:
            self._schema = file.schema_arrow
            columns = file.metadata.row_group(0)
            self._compression = columns.column(0).compression.lower()
            self._group = columns.num_rows
        self._path = path
        self._columns: Columns = choose_columns(path, self._schema, reading, image)
        if self._columns.whole and is_encoded(path, self._columns.pixels[0], self._schema):
            raise DataError(
                f"{path}: its images are encoded pictures, which cannot be written back.",
                "Write them into a folder and give that: for number, row in enumerate("
                f"pandas.read_parquet({path.name!r})[{self._columns.pixels[0]!r}]): "
                "pathlib.Path(f'pictures/{number:06}.png').write_bytes(row['bytes'] if "
                "isinstance(row, dict) else row).",
            )

    def write(self, parts: Iterable[NDArray[Any]], target: BinaryIO) -> None:
        """Write the file with other pixels.

        Args:
            parts: The values of all images in order, (m, width) each.
            target: Where it goes.
        """
        rows = (row for part in parts for row in part)
        compression = "none" if self._compression == "uncompressed" else self._compression
        with (
            pq.ParquetFile(self._path, pre_buffer=False) as source,
            pq.ParquetWriter(target, self._schema, compression=compression) as made,
        ):
            for batch in source.iter_batches(min(ROWS, self._group)):
                pixels = np.stack([next(rows) for _ in range(batch.num_rows)])
                made.write_batch(self._replaced(batch, pixels), row_group_size=self._group)

    def _replaced(self, batch: pa.RecordBatch, pixels: NDArray[Any]) -> pa.RecordBatch:
        """Return some rows with other pixels, (m, width)."""
        columns = dict(zip(self._schema.names, batch.columns, strict=True))
        if self._columns.whole:
            name = self._columns.pixels[0]
            columns[name] = _images(self._path, columns[name], pixels)
        else:
            for name, values in zip(self._columns.pixels, pixels.T, strict=True):
                columns[name] = _numbers(values, columns[name].type)
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=self._schema)


def _numbers(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind):
        return pa.array(values >= 0.5)
    return pa.array(np.ascontiguousarray(values).astype(kind.to_pandas_dtype()), kind)


def _images(path: Path, column: pa.Array, pixels: NDArray[Any]) -> pa.Array:
    """Return a column of whole images like `column`: lists, lists of lists, or plain bytes."""
    kind, sizes = column.type, []
    if not is_list(kind):
        rows = [row.tobytes() for row in pixels.astype(np.uint8)]
        return pa.array(rows, kind)
    while is_list(column.type):
        sizes.append(len(column.flatten()) // len(column))
        column = column.flatten()
    layout = layout_of(path, (len(pixels), *sizes))
    return _nested(layout, pixels, kind)


def _nested(layout: Layout, pixels: NDArray[Any], kind: pa.DataType) -> pa.Array:
    images = layout.unflattened(pixels)
    inner: list[pa.DataType] = []
    while is_list(kind):
        inner.append(kind)
        kind = kind.value_type
    made = _numbers(images.reshape(-1), kind)
    for size, outer in zip(reversed(images.shape[1:]), reversed(inner), strict=True):
        made = _lists(made, size, outer)
    return made


def _lists(values: pa.Array, size: int, kind: pa.DataType) -> pa.Array:
    """Return lists of `size` values each."""
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(values, type=kind)
    offsets = np.arange(0, len(values) + 1, size)
    if pa.types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values, type=kind)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind)
