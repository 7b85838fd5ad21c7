"""Ingest: four CSV files become two checked Parquet tables."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from tasks.csv_faults import READ_ERRORS, DataError, fault, header_rows, opened
from tasks.logs import run_logger
from tasks.stage import stage
from tasks.store import ArtifactRef, Output

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings

ROWS = 16_384
"""Rows a row group of the Parquet file, and a step of the reading."""
BLOCK = 1 << 20
"""Bytes of CSV that are parsed at a time."""
ROLES = {
    "train_data": ("train_data.csv",),
    "train_labels": ("train_labels.csv", "train_lables.csv"),
    "test_data": ("test_data.csv",),
    "test_labels": ("test_labels.csv", "test_lables.csv"),
}
"""The names a file may have, each also with `.gz` behind."""


def find_files(folder: Path) -> dict[str, ArtifactRef]:
    """Find the four files in `folder` and look at their content.

    Returns:
        By role: `train_data`, `train_labels`, `test_data`, `test_labels`.

    Raises:
        DataError: If one is missing, or is there under two names.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Give the folder of the CSV files with --data.")
    found = {role: _find(folder, names) for role, names in ROLES.items()}
    try:
        return {role: ArtifactRef.of(path) for role, path in found.items()}
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from error


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    every = [name + ending for name in names for ending in ("", ".gz")]
    found = [name for name in every if (folder / name).is_file()]
    if not found:
        raise DataError(f"{folder}: none of {', '.join(every)} is there. Expected one of them.")
    if len(found) > 1:
        raise DataError(
            f"{folder}: {' and '.join(found)} are both there. Which one is meant? Keep one."
        )
    return folder / found[0]


@stage
def ingest(output: Output, files: dict[str, ArtifactRef], image: "ImageSettings") -> None:
    """Write `train.parquet` and `test.parquet`: uint8 columns `pixel_0`, `pixel_1`, …, and the
    uint32 column `label`.

    Every value is checked, and the files are read as a stream, in memory that does not depend on
    their length.
    """
    width = image.height * image.width * image.channels
    for split in ("train", "test"):
        data, labels = files[f"{split}_data"], files[f"{split}_labels"]
        output.require_space(2 * data.size)
        rows = _write_table(output.folder / f"{split}.parquet", data.path, labels.path, width)
        for ref in (data, labels):
            ref.checked()  # nobody replaced it while it was read
        run_logger().info(
            "%s: %s images of %s values, each with a label.", data.path.name, f"{rows:,}", width
        )


def _write_table(path: Path, data: Path, labels: Path, width: int) -> int:
    """Join images and labels row by row into one Parquet file; return how many there were."""
    names = [f"pixel_{index}" for index in range(width)]
    schema = pa.schema([*((name, pa.uint8()) for name in names), ("label", pa.uint32())])
    counts = [0, 0]
    with pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=False, write_statistics=False
    ) as writer:
        streams = (
            _read(data, names, pa.uint8(), 255),
            _read(labels, ["label"], pa.uint32(), 2**32 - 1),
        )
        for pixels, label in itertools.zip_longest(*streams):
            for index, table in enumerate((pixels, label)):
                counts[index] += 0 if table is None else table.num_rows
            if counts[0] == counts[1]:
                columns = [*pixels.columns, *label.columns]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    if counts[0] != counts[1]:
        raise DataError(_count_fault(data, labels, *counts))
    return counts[0]


def _count_fault(data: Path, labels: Path, images: int, count: int) -> str:
    longer, what = (labels, "label") if count > images else (data, "image")
    row = min(images, count) + 1 + header_rows(longer)
    return (
        f"{longer}, row {row}, column 1: one {what} too many. {data.name} has {images:,} images "
        f"and {labels.name} has {count:,} labels; expected as many, in the same order. Remove "
        "what is too much or add what is missing."
    )


def _read(path: Path, names: list[str], dtype: pa.DataType, largest: int) -> Iterator[pa.Table]:
    """Yield the rows of a CSV file as tables of `ROWS` rows, the last one shorter.

    Raises:
        DataError: For the first value that is not a whole number from 0 to `largest`, the first
            row that is not as long as `names`, or a file that is empty or damaged.
    """
    reading = csv.ReadOptions(
        column_names=names,
        skip_rows=header_rows(path),
        block_size=max(BLOCK, 32 * len(names)),  # a block must hold the longest row
    )
    conversion = csv.ConvertOptions(column_types=dict.fromkeys(names, dtype), null_values=[])
    rows = 0
    try:
        with opened(path) as file:
            for table in _rebatched(csv.open_csv(file, reading, convert_options=conversion)):
                rows += table.num_rows
                yield table
    except (pa.ArrowInvalid, *READ_ERRORS) as error:
        raise fault(path, len(names), largest, error) from error
    if not rows:
        raise DataError(f"{path}, row 2, column 1: nothing follows the header. Expected rows.")


def _rebatched(reader: csv.CSVStreamingReader) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= ROWS:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROWS).combine_chunks()
            waiting = table.slice(ROWS).to_batches()
            rows -= ROWS
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()
