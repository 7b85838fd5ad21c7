"""Images and labels in Parquet: two columns, a row an image.

`pixels` holds the bytes of a row in one fixed-size value, `numpy.frombuffer(value, "uint8")`; a
column a pixel took five times as long to write and twenty times as long to read. `label` is uint32.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.uint32]


def schema(width: int) -> pa.Schema:
    """Return the columns of a table whose images have `width` values."""
    return pa.schema([("pixels", pa.binary(width)), ("label", pa.uint32())])


def to_table(pixels: Pixels, labels: Labels) -> pa.Table:
    """Make rows of images, uint8 (n, width), and labels, uint32 (n,)."""
    count, width = pixels.shape
    column = pa.Array.from_buffers(
        pa.binary(width), count, [None, pa.py_buffer(np.ascontiguousarray(pixels))]
    )
    return pa.Table.from_arrays([column, pa.array(labels)], schema=schema(width))


def from_batch(batch: pa.RecordBatch) -> tuple[Pixels, Labels]:
    """Return the images, uint8 (n, width), and the labels, uint32 (n,), of some rows."""
    column = batch.column("pixels")
    width = column.type.byte_width
    values = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width :]
    labels: Labels = batch.column("label").to_numpy()
    return values[: len(column) * width].reshape(-1, width), labels
