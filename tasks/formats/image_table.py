"""Images and their labels in Parquet: one row per image.

`pixels` holds the bytes of an image in one fixed-size value, `numpy.frombuffer(value, "uint8")`;
one column per pixel took five times as long to write and twenty times as long to read. `label` is
uint32; without labels there is no such column. The file's own metadata says which shape the images
have, and what the labels are called where they are words.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import DTypeLike, NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.uint32]

GROUP = 1 << 24
"""Bytes of pixels per row group."""
SHAPE, CLASSES = "shape", "classes"


@dataclass(frozen=True)
class ImageTable:
    """A table that is there."""

    path: Path
    count: int
    shape: tuple[int, int, int]
    """(height, width, channels)"""
    classes: list[str] | None
    """The name of each label, from 0 on; None where labels are numbers, or there are none."""
    labelled: bool

    def batches(self, rows: int) -> Iterator[tuple[Pixels, Labels | None]]:
        """Yield images, uint8 (m, width), and labels, uint32 (m,), with m at most `rows`."""
        with pq.ParquetFile(self.path, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(rows):
                width = batch.schema.field("pixels").type.byte_width
                pixels = _values(batch.column("pixels"), np.uint8, width).reshape(-1, width)
                has = self.labelled
                yield pixels, _values(batch.column("label"), np.uint32, 1) if has else None


def read_image_table(path: Path) -> ImageTable:
    """Look what a table holds, without reading the images."""
    with pq.ParquetFile(path, pre_buffer=False) as parquet:
        metadata = parquet.metadata.metadata
        height, width, channels = json.loads(metadata[SHAPE.encode()])
        return ImageTable(
            path, parquet.metadata.num_rows, (height, width, channels),
            json.loads(metadata[CLASSES.encode()]), "label" in parquet.schema_arrow.names,
        )  # fmt: skip


class ImageTableWriter:
    """Writes a table whose rows arrive in any portions: equal rows make equal bytes."""

    def __init__(self, path: Path, width: int, *, labelled: bool) -> None:
        """Begin a table of images of `width` values, with labels or without."""
        columns = [("pixels", pa.binary(width))] + [("label", pa.uint32())] * labelled
        self._schema = pa.schema(columns)
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=1,  # higher ones take twice the time for 2 % of the size
            use_dictionary=False,
            write_statistics=False,
        )
        self._rows = max(1, GROUP // width)
        self._waiting: list[tuple[Pixels, Labels | None]] = []
        self._beside = ThreadPoolExecutor(1)  # writes one row group while the next one is read
        self._written: Future[None] | None = None
        self.count = 0

    def write(self, pixels: Pixels, labels: Labels | None) -> None:
        """Append images, uint8 (n, width), and their labels, uint32 (n,)."""
        start = 0
        while start < len(pixels):
            taken = slice(start, start + self._rows - self.count % self._rows)
            part = pixels[taken]
            self._waiting.append((part, None if labels is None else labels[taken]))
            start, self.count = start + len(part), self.count + len(part)
            if self.count % self._rows == 0:
                self._write_group()

    def _write_group(self) -> None:
        pixels, labels = zip(*self._waiting, strict=True)
        columns = [_column(_joined(pixels), self._schema.field(0).type)]
        if len(self._schema) > 1:
            columns.append(_column(_joined(labels), pa.uint32()))
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._waiting = []
        if self._written is not None:
            self._written.result()
        self._written = self._beside.submit(self._writer.write_table, table)

    def finish(self, shape: tuple[int, int, int], classes: list[str] | None) -> None:
        """Write what is left, and what the images and labels are."""
        if self._waiting:
            self._write_group()
        if self._written is not None:
            self._written.result()
        self._writer.add_key_value_metadata(
            {SHAPE: json.dumps(shape), CLASSES: json.dumps(classes)}
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; of one that was not finished, nothing can be read."""
        self._beside.shutdown()
        self._writer.close()


def _joined(parts: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


# Arrow's own way from and to NumPy looks for pandas, and loading that takes longer than ingest


def _column(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [None, buffer])


def _values(column: pa.Array, dtype: DTypeLike, each: int) -> NDArray[Any]:
    values = np.frombuffer(column.buffers()[1], dtype)
    return values[column.offset * each : (column.offset + len(column)) * each]
