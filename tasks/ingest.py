"""Ingest: four CSV files become two checked Parquet tables."""

import itertools
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats import image_table
from tasks.formats.csv import read_csv
from tasks.formats.csv_errors import count_error

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings

PART = 1 << 24
"""Bytes of pixels per row group of the Parquet file, and per step of reading."""


@stage
def ingest(output: Output, files: Mapping[str, ArtifactRef], image: "ImageSettings") -> None:
    """Write `train.parquet` and `test.parquet`, in the form of `image_table`.

    Every value is checked, and the files are read as a stream, in memory that does not depend on
    their length. It is one stage for all four files, since an error in the last one must publish
    nothing; it writes two, so that a changed test file does not retrain.
    """
    width = image.height * image.width * image.channels
    for split in ("train", "test"):
        data, labels = files[f"{split}_data"], files[f"{split}_labels"]
        output.require_space(2 * data.size)
        rows = _write_table(output.folder / f"{split}.parquet", data.path, labels.path, width)
        output.log(f"{data.path.name}: {rows:,} images of {width} values, each with a label.")


def _write_table(path: Path, data: Path, labels: Path, width: int) -> int:
    """Join images and labels row by row into one Parquet file; return how many there were."""
    counts, rows = [0, 0], max(1, PART // width)
    written: Future[None] | None = None
    with (
        pq.ParquetWriter(
            path,
            image_table.schema(width),
            compression="zstd",
            compression_level=1,  # higher ones take twice the time for 2 % of the size
            use_dictionary=False,
            write_statistics=False,
        ) as writer,
        ThreadPoolExecutor(1) as beside,  # writes one row group while the next one is read
    ):
        streams = (
            read_csv(data, width, np.uint8, 255, rows),  # parts of (rows, width)
            read_csv(labels, 1, np.uint32, 2**32 - 1, rows),  # parts of (rows, 1)
        )
        for images, label in itertools.zip_longest(*streams):
            for index, values in enumerate((images, label)):
                counts[index] += 0 if values is None else len(values)
            if counts[0] == counts[1]:
                if written is not None:
                    written.result()
                table = image_table.to_table(images, label[:, 0])
                written = beside.submit(writer.write_table, table)
        if written is not None:
            written.result()
    if counts[0] != counts[1]:
        raise count_error(data, labels, *counts)
    return counts[0]
