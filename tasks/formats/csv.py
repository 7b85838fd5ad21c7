"""CSV files of whole numbers as arrays: streamed, parsed in threads, checked value by value."""

import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from autoencoders.images.byte_text import parse_bytes
from tasks.formats.csv_errors import (
    BYTE_ORDER_MARK,
    READ_ERRORS,
    first_error,
    header_rows,
    is_gzipped,
    longest_line,
)
from tasks.formats.errors import DataError

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


def read_csv(
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
        raise first_error(path, width, largest, error) from error
    if not count:
        place = f"{path}, row {skipped + 1}, column 1"
        raise DataError(f"{place}: no values from here on. Expected one row per image.")


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
        raise ValueError(f"not {width} numbers per line, or one of them is above 255")
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
