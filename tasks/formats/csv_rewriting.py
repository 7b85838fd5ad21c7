"""Tables of text written again with other pixels: every other byte stays as it is.

The lines are read once more, with their ends, and of each row the numbers of the pixels are
replaced: separators, quotes, blanks, labels, row numbers, headers, comments and empty lines stay.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tasks.formats.compressing import wrapped_like
from tasks.formats.compression import opened
from tasks.formats.csv import opened_table
from tasks.formats.csv_columns import find_columns
from tasks.formats.csv_dialect import BLANK, BLANKS, Dialect
from tasks.formats.csv_layout import Columns
from tasks.formats.csv_style import style_of
from tasks.formats.csv_text import BYTE_ORDER_MARK
from tasks.formats.csv_transposed import is_transposed
from tasks.formats.csv_values import form_of
from tasks.formats.errors import DataError

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings, ReadingSettings

CHUNK = 1 << 20
LINE = re.compile(rb"([^\r\n]*)(\r*\n|\r)")
TRANSPOSE = (
    "Transpose it so that each row is an image: pandas.read_csv({name!r}, header=None).T"
    ".to_csv('turned.csv', header=False, index=False)."
)


class CsvRewriter:
    """A table of images that can be written again."""

    def __init__(self, path: Path, reading: "ReadingSettings", image: "ImageSettings") -> None:
        """Recognise the form of a table, as `read_csv` does.

        Raises:
            DataError: If its rows are no images, or its header is one.
        """
        table = opened_table(path, reading, image)
        if is_transposed(table, reading.rows):
            raise DataError(
                f"{path}: its columns are the images, which cannot be written back.",
                TRANSPOSE.format(name=path.name),
            )
        if table.header.image is not None:
            raise DataError(
                f"{path}: its first image has become a header, which cannot be written back.",
                "Write the file again from the original, with header=False; or leave this line as "
                "it is with --reading.header yes.",
            )
        self._path = path
        self._form = form_of(table, find_columns(table, reading.label, reading.index, image))

    def write(self, parts: Iterable[NDArray[Any]], step: float, target: BinaryIO) -> None:
        """Write the file with other pixels.

        Args:
            parts: The values of all images in order, (m, width) each.
            step: The difference of values that must not be lost: 1 for whole numbers.
            target: Where the file goes, compressed as it was.
        """
        form = self._form
        style = style_of(form, step)
        replaced = _replacer(form.table.dialect, form.columns)
        rows = (row for part in parts for row in part.astype(np.float64, copy=False))
        if form.columns.order is not None:
            places = np.argsort(form.columns.order)  # of each column's pixel in the image
            rows = (row[places] for row in rows)
        with wrapped_like(self._path, target) as file:
            skipped = form.table.skipped
            for line, end in _rows(self._path, multiline=form.table.dialect.multiline):
                if skipped or not line.strip(BLANKS):
                    skipped -= bool(skipped and end != BYTE_ORDER_MARK)
                    file.write(line + end)
                    continue
                row = next(rows, None)
                text = None if row is None else replaced(line, style.write(row))
                if text is None:
                    raise self._changed()
                file.write(text + end)
        if next(rows, None) is not None:
            raise self._changed()

    def _changed(self) -> DataError:
        return DataError(
            f"{self._path}: its rows have changed since it was first read.",
            "Run again when nothing writes to the file any more.",
        )


def _rows(path: Path, *, multiline: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yield each row and the line end behind it; those of `multiline` quotes are inside a row."""
    held = b""
    for line, end in _lines(path):
        row = held + line
        if multiline and row.count(b'"') % 2 and end:
            held = row + end
            continue
        yield row, end
        held = b""
    if held:
        yield held, b""


def _lines(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield each line and its end; a byte order mark is a line without an end."""
    with opened(path) as file:
        text = file.read(len(BYTE_ORDER_MARK))
        if text == BYTE_ORDER_MARK:
            yield b"", text
            text = b""
        while read := file.read(CHUNK):
            text += read
            place = 0
            while found := LINE.match(text, place):
                if found.end() == len(text) and found[2][-1:] == b"\r":
                    break  # a line feed may follow
                yield found[1], found[2]
                place = found.end()
            text = text[place:]
    while found := LINE.match(text):
        yield found[1], found[2]
        text = text[found.end() :]
    if text:
        yield text, b""


def _replacer(dialect: Dialect, columns: Columns) -> Any:
    """Return a function that replaces the numbers of the pixels in a row; None if it cannot."""
    row, number = _row_pattern(dialect, columns), _number_pattern(dialect, columns)
    separator, width = dialect.separator, columns.width

    def replaced(line: bytes, texts: list[bytes]) -> bytes | None:
        found = row.match(line)
        if found is None:
            return None
        start, end = found.span(1)
        before, *between, behind = number.split(line[start:end])
        if len(between) != width - 1:
            return None
        if between.count(separator) == len(between):
            pixels = separator.join(texts)
        else:
            gaps = [*between, b""]
            pixels = b"".join(part for pair in zip(texts, gaps, strict=True) for part in pair)
        return line[:start] + before + pixels + behind + line[end:]

    return replaced


def _row_pattern(dialect: Dialect, columns: Columns) -> re.Pattern[bytes]:
    """Return what matches a row; its group is the pixels."""
    cells = 1 if columns.cell is not None else columns.width
    quoted = rb'"(?:[^"]|"")*+"'
    if dialect.separator == BLANK:
        cell, between, start = rb"(?>%b(?![^ \t])|[^ \t]++)" % quoted, rb"[ \t]++", rb"[ \t]*+"
    else:
        between, start = re.escape(dialect.separator), b""
        blanks = rb"[%b]*+" % BLANKS.replace(dialect.separator, b"")
        closed = rb"%b%b%b(?=%b|$)" % (blanks, quoted, blanks, between)
        cell = rb"(?>%b|[^%b]*+)" % (closed, between)
    each = rb"(?:%b%b)" % (cell, between)
    pattern = rb"%b%b{%d}(%b{%d}%b)" % (start, each, columns.lead, each, cells - 1, cell)
    return re.compile(pattern, re.DOTALL)


def _number_pattern(dialect: Dialect, columns: Columns) -> re.Pattern[bytes]:
    """Return what matches one number among the pixels of a row."""
    if columns.cell is not None:
        return re.compile(rb'[^\s,\[\]()"]+')
    return re.compile(rb'[^ \t"%b]+' % re.escape(dialect.separator))
