"""Text files as blocks of whole lines: any line end, in memory that does not grow with the file."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tasks.formats.compression import opened
from tasks.formats.errors import DataError

BLOCK = 1 << 17
"""Bytes of text that are parsed at a time; what that takes fits the processor's cache."""
FLOAT_BLOCK = 1 << 20
"""The same for floats, where Arrow takes a while to begin."""
SAMPLE = 1 << 18
"""Bytes of text that are looked at to recognise a dialect, or two lines, whichever is more."""
LONGEST = 1 << 24
"""Bytes of a line, at least, that are read in search of its end."""
PER_VALUE = 64
"""Bytes that one value may take; ample."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_END = re.compile(rb"\r*\n|\r")
QUOTED = re.compile(rb'"[^"]*"')
INNER = b"\x0b"
"""Stands for a line feed inside quotes, so that all others end a row."""


class Block(NamedTuple):
    """Some consecutive lines of a file."""

    row: int
    """The number of the first line in the file, from 1."""
    text: bytes
    """Whole lines, each ended by a line feed, the last one too."""


def longest_line(values: int | None) -> int:
    """Return how many bytes a line may have, of an image of so many values if that is known."""
    return max(LONGEST, PER_VALUE * (values or 0))


def read_sample(path: Path, longest: int) -> tuple[list[bytes], bool]:
    """Read the beginning of a file.

    Returns:
        Its first lines, without their ends, and whether that is all of the file.

    Raises:
        DataError: If a line is longer than `longest` bytes, or the file cannot be decompressed.
    """
    beginning = io.BytesIO()
    ends = 0
    with opened(path) as file:
        for chunk in _chunks(file):
            beginning.write(chunk)
            ends += chunk.count(b"\n")
            if beginning.tell() >= SAMPLE and ends >= 3:
                return beginning.getvalue().split(b"\n")[:-1], False
            if beginning.tell() > longest * (ends + 1):
                raise _too_long(path, ends + 1, longest)
    text = beginning.getvalue()
    return text.removesuffix(b"\n").split(b"\n") if text else [], True


def read_blocks(
    path: Path, longest: int, *, skipped: int = 0, multiline: bool = False, size: int = BLOCK
) -> Iterator[Block]:
    """Yield a file in blocks of whole lines, without the first `skipped` ones or a byte order mark.

    Args:
        path: The file, compressed or not.
        longest: Bytes that a line may have.
        skipped: Lines at the beginning that are left out.
        multiline: Whether quotes may hold line feeds. A row ends behind the last quote then, and
            `INNER` stands where its lines ended.
        size: Bytes that are read at a time.

    Raises:
        DataError: If a line is longer than `longest` bytes, a quote does not end, or the file
            cannot be decompressed.
    """
    with opened(path) as file:
        for block in _whole_lines(path, _chunks(file, size), longest, multiline=multiline):
            row, text = block
            while skipped and text:
                text, skipped, row = text[text.index(b"\n") + 1 :], skipped - 1, row + 1
            if text:
                yield Block(row, text)


def _chunks(file: BinaryIO, size: int = BLOCK) -> Iterator[bytes]:
    """Yield a file piece by piece with line feeds alone as line ends, the last one added."""
    held, ended = file.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK), True
    while True:
        read = file.read(size)
        text, held = held + read, b""
        if read and text.endswith(b"\r"):  # a line feed may follow
            kept = 2 if text.endswith(b"\r\r") else 1
            text, held = text[:-kept], text[-kept:]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
            text = LINE_END.sub(b"\n", text) if b"\r" in text else text
        if text:
            ended = text.endswith(b"\n")
            yield text
        if not read:
            break
    if not ended:
        yield b"\n"


def _whole_lines(
    path: Path, chunks: Iterator[bytes], longest: int, *, multiline: bool
) -> Iterator[Block]:
    """Cut pieces of text behind line feeds."""
    block = io.BytesIO()  # grows without copying what a long line has by now
    row, enough = 1, 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end or block.tell() + end < enough:
            block.write(chunk)
        else:
            block.write(chunk[:end])
            lines, block = block.getvalue(), io.BytesIO()
            whole = _closed(lines) if multiline else len(lines)
            # Looked at again when it is twice as long, so that it takes no square of the time
            enough = 0 if whole else 2 * len(lines)
            block.write(lines[whole:])
            block.write(chunk[end:])
            if whole:
                yield Block(row, _joined(lines[:whole]) if multiline else lines)
                row += lines.count(b"\n", 0, whole)
            del lines  # it may be large
        if block.tell() > longest:
            raise _endless(path, row, block.getvalue(), longest)
    if block.tell():
        raise _endless(path, row, block.getvalue(), longest)


def _closed(text: bytes) -> int:
    """Return where the last line ends that ends outside of quotes."""
    end = text.rfind(b"\n") + 1
    quotes = text.count(b'"', 0, end)
    while end and quotes % 2:
        before = text.rfind(b"\n", 0, end - 1) + 1
        quotes -= text.count(b'"', before, end)
        end = before
    return end


def _joined(text: bytes) -> bytes:
    return QUOTED.sub(lambda found: found[0].replace(b"\n", INNER), text)


def _endless(path: Path, row: int, text: bytes, longest: int) -> DataError:
    """Say why no row ends in `text`, which begins with that row."""
    for number, line in enumerate(text.split(b"\n")[:-1], start=row):
        if line.count(b'"') % 2:
            return DataError(
                f"{path}, row {number}: a quote that is opened in this row is not closed in what "
                "follows.",
                "Put a quote at the end of that cell, or remove the one at its beginning.",
            )
    return _too_long(path, row, longest)


def _too_long(path: Path, row: int, longest: int) -> DataError:
    return DataError(
        f"{path}, row {row}, column 1: the row does not end within {longest:,} characters. "
        "Expected one image per row, then a line end.",
        "If its images are that large, give --image.height, --image.width and --image.channels.",
    )
