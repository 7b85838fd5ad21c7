"""Ingest: four CSV files become two checked Parquet tables."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from tasks import image_table
from tasks.csv_faults import READ_ERRORS, DataError, fault, header_rows, is_gzipped
from tasks.logs import run_logger
from tasks.stage import stage
from tasks.store import ArtifactRef, Output

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings

ROWS = 16_384
"""Rows a row group of the Parquet file, and a step of the reading."""
BLOCK = 1 << 22
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
    """Write `train.parquet` and `test.parquet`, in the form of `image_table`.

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
    counts = [0, 0]
    with pq.ParquetWriter(
        path,
        image_table.schema(width),
        compression="zstd",
        compression_level=1,  # higher ones take twice the time for 2 % of the size
        use_dictionary=False,
        write_statistics=False,
    ) as writer:
        streams = (
            _read(data, width, pa.uint8(), 255),
            _read(labels, 1, pa.uint32(), 2**32 - 1),
        )
        for images, label in itertools.zip_longest(*streams):
            for index, values in enumerate((images, label)):
                counts[index] += 0 if values is None else len(values)
            if counts[0] == counts[1]:
                writer.write_table(image_table.to_table(images, label[:, 0]))
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


def _read(path: Path, width: int, dtype: pa.DataType, largest: int) -> Iterator[NDArray[Any]]:
    """Yield the rows of a CSV file, (n, width) of `dtype`; n is `ROWS`, in the last part less.

    Raises:
        DataError: For the first value that is not a whole number from 0 to `largest`, the first
            row that is not `width` values long, or a file that is empty or damaged.
    """
    names = [str(index) for index in range(width)]
    reading = csv.ReadOptions(
        column_names=names,
        skip_rows=header_rows(path),
        block_size=max(BLOCK, 32 * width),  # a block must hold the longest row
    )
    conversion = csv.ConvertOptions(column_types=dict.fromkeys(names, dtype), null_values=[])
    rows = 0
    try:
        with pa.input_stream(path, compression="gzip" if is_gzipped(path) else None) as file:
            for part in _parts(csv.open_csv(file, reading, convert_options=conversion)):
                rows += len(part)
                yield part
    except (pa.ArrowInvalid, *READ_ERRORS) as error:
        raise fault(path, width, largest, error) from error
    if not rows:
        raise DataError(f"{path}, row 2, column 1: nothing follows the header. Expected rows.")


def _parts(reader: csv.CSVStreamingReader) -> Iterator[NDArray[Any]]:
    """Yield what `reader` reads in parts of `ROWS` rows, whatever the blocks of the file."""
    part, filled = None, 0
    for batch in reader:
        values = batch.to_tensor().to_numpy()
        if part is None:
            part = np.empty((ROWS, values.shape[1]), values.dtype)
        while len(values):
            taken = values[: ROWS - filled]
            part[filled : filled + len(taken)] = taken
            filled, values = filled + len(taken), values[len(taken) :]
            if filled == ROWS:
                yield part
                filled = 0
    if part is not None and filled:
        yield part[:filled]
