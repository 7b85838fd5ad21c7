"""Ingest: four CSV files become two checked Parquet tables."""

import io
import itertools
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import DTypeLike, NDArray

from autoencoders.byte_text import parse_bytes
from tasks import image_table
from tasks.csv_faults import (
    BYTE_ORDER_MARK,
    READ_ERRORS,
    DataError,
    count_fault,
    fault,
    header_rows,
    is_gzipped,
    longest_line,
)
from tasks.logs import run_logger
from tasks.retries import patiently
from tasks.stage import stage
from tasks.store import ArtifactRef, Output

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings

PART = 1 << 24
"""Bytes of pixels a row group of the Parquet file, and a step of the reading."""
BLOCK = 1 << 17
"""Bytes of CSV that are parsed at a time; what that takes fits the processor's cache."""
AHEAD = 1 << 24
"""Bytes of CSV in the threads at a time, each of which takes six more; a longer line goes alone."""
NUMBERS = re.compile(
    rb"""(?: [ \t]* (?: [0-9]++ | "[ \t]*[0-9]++[ \t]*" ) [ \t]* [,\n] | \n )*+""", re.X
)
"""Lines of whole numbers, some of them quoted or with blanks around, and empty lines."""
LEADING_ZEROS = re.compile(rb"\b0+(?=[0-9])")
R = TypeVar("R")
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
    return {role: _look(path) for role, path in found.items()}


def _look(path: Path) -> ArtifactRef:
    try:
        return patiently(ArtifactRef.of, path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}). See that the disk answers and that you "
            "may read the file, and run again."
        ) from error


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
        ThreadPoolExecutor(1) as beside,
    ):
        streams = (
            _read(data, width, np.uint8, 255, rows),
            _read(labels, 1, np.uint32, 2**32 - 1, rows),
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
        raise count_fault(data, labels, *counts)
    return counts[0]


def _read(
    path: Path, width: int, dtype: DTypeLike, largest: int, rows: int
) -> Iterator[NDArray[Any]]:
    """Yield the rows of a CSV file, (n, width) of `dtype`; n is `rows`, in the last part less.

    Raises:
        DataError: For the first value that is not a whole number from 0 to `largest`, the first
            row that is not `width` values long, or a file that is empty or damaged.
    """
    count = skipped = 0
    try:
        with pa.input_stream(path, compression="gzip" if is_gzipped(path) else None) as file:
            skipped = header_rows(path)
            blocks = _blocks(file, skipped, longest_line(width))
            parsed = _in_threads(lambda block: _parsed(block, width, dtype), blocks)
            for part in _parts(parsed, rows):
                count += len(part)
                yield part
    except (ValueError, OverflowError, *READ_ERRORS) as error:
        raise fault(path, width, largest, error) from error
    if not count:
        place = f"{path}, row {skipped + 1}, column 1"
        raise DataError(f"{place}: no values from here on. Expected one row an image.")


def _blocks(file: pa.NativeFile, skipped: int, longest: int) -> Iterator[bytes]:
    """Yield a file in blocks of whole lines, without the first `skipped` ones or a byte order mark.

    Raises:
        ValueError: If a line is longer than `longest` characters.
    """
    block = io.BytesIO()  # grows without copying what a long line has by now
    block.write(file.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK))
    # The last line may lack its end
    while read := file.read(BLOCK) or (b"\n" if block.tell() else b""):
        end = read.rfind(b"\n") + 1
        if end:
            block.write(read[:end])
            lines, block = block.getvalue(), io.BytesIO()
            if skipped:
                lines, skipped = lines.partition(b"\n")[2], 0
            yield lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines
            del lines  # it may be large
        block.write(read[end:])
        if block.tell() > longest:
            raise ValueError(f"a line does not end within {longest:,} characters")


def _parsed(block: bytes, width: int, dtype: DTypeLike) -> NDArray[Any]:
    """Read some lines: (n, width) of `dtype`.

    Raises:
        ValueError, OverflowError: If anything but whole numbers of this type is found.
    """
    values = parse_bytes(block, width)
    if values is None:  # in another dialect, larger labels, or wrong
        if NUMBERS.fullmatch(block) is None:
            raise ValueError("not whole numbers separated by commas")
        block = re.sub(rb"\n+", b"\n", block.translate(None, b'" \t')).removeprefix(b"\n")
        block = LEADING_ZEROS.sub(b"", block)
        values = parse_bytes(block, width)
    if values is not None:
        return values.astype(dtype, copy=False)
    if not block:
        return np.empty((0, width), dtype)
    if width > 1:
        raise ValueError(f"not {width} numbers a line, or one of them is above 255")
    return np.array([int(number) for number in block.splitlines()], dtype)[:, np.newaxis]


def _in_threads(work: Callable[[bytes], R], blocks: Iterable[bytes]) -> Iterator[R]:
    """Yield `work(block)` for each block, in their order, a few ahead of whoever takes them."""
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[R]] = deque()
        for block in blocks:
            ahead.append(pool.submit(work, block))
            while len(ahead) > 2 * threads or len(ahead) * len(block) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _parts(blocks: Iterable[NDArray[Any]], rows: int) -> Iterator[NDArray[Any]]:
    """Yield the rows of all blocks in parts of `rows`, the last one shorter."""
    part, filled = None, 0
    for block in blocks:
        if part is None:
            part = np.empty((rows, block.shape[1]), block.dtype)
        start = 0
        while start < len(block):
            taken = block[start : start + rows - filled]
            part[filled : filled + len(taken)] = taken
            start, filled = start + len(taken), filled + len(taken)
            if filled == rows:
                yield part
                part, filled = np.empty_like(part), 0
    if part is not None and filled:
        yield part[:filled]
