"""Images and labels in Parquet: two columns, one row per image.

`pixels` holds the bytes of a row in one fixed-size value, `numpy.frombuffer(value, "uint8")`; one
column per pixel took five times as long to write and twenty times as long to read. `label` is
uint32.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.uint32]


def schema(width: int) -> pa.Schema:
    """Return the columns of a table whose images have `width` values."""
    return pa.schema([("pixels", pa.binary(width)), ("label", pa.uint32())])


def to_table(pixels: Pixels, labels: Labels) -> pa.Table:
    """Make rows of images, uint8 (n, width), and labels, uint32 (n,)."""
    width = pixels.shape[1]
    columns = [_column(pixels, pa.binary(width)), _column(labels, pa.uint32())]
    return pa.Table.from_arrays(columns, schema=schema(width))


def from_batch(batch: pa.RecordBatch) -> tuple[Pixels, Labels]:
    """Return the images, uint8 (n, width), and the labels, uint32 (n,), of some rows."""
    width = batch.schema.field("pixels").type.byte_width
    pixels = _values(batch.column("pixels"), np.uint8, width).reshape(-1, width)
    return pixels, _values(batch.column("label"), np.uint32, 1)


# Arrow's own way from and to NumPy looks for pandas, and loading that takes longer than ingest


def _column(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [None, buffer])


def _values(column: pa.Array, dtype: DTypeLike, each: int) -> NDArray[Any]:
    values = np.frombuffer(column.buffers()[1], dtype)
    return values[column.offset * each : (column.offset + len(column)) * each]
