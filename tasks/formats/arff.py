"""ARFF files, the form of Weka and OpenML: a header that names and types each column, then CSV.

Arrow parses the rows; this module reads the header, and finds the place of an error.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from autoencoders.images.shape import Sides
from tasks.formats.compression import described, opened
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, Part
from tasks.formats.label_arrays import label_values, word_labels
from tasks.formats.layouts import read_exactly
from tasks.formats.table_columns import Columns, choose_columns

if TYPE_CHECKING:
    from autoencoders.settings import ReadingSettings

HEADER = re.compile(rb"\s*@(relation|attribute)\b", re.IGNORECASE)
DATA = re.compile(rb"\s*@data\b", re.IGNORECASE)
ATTRIBUTE = re.compile(
    r"""\s*@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\S+?))\s*
        (\{.*|(?<=\s)(?:numeric|real|integer|string|date|relational)\b.*)$""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
LONGEST_LINE = 1 << 24
LONGEST_HEADER = 1 << 26
"""Bytes that names and types of all columns may take; a million columns take half."""
BLOCK = 1 << 20
"""Bytes of rows that are parsed at a time."""


@dataclass(frozen=True)
class _Header:
    schema: pa.Schema
    """Numbers are float64, all else is text."""
    lines: int
    """How many lines come before the rows."""


def is_arff(beginning: bytes) -> bool:
    """Return whether a file that begins so is ARFF: comments, then `@relation`."""
    for line in beginning.removeprefix(b"\xef\xbb\xbf").splitlines():
        if line.strip() and not line.lstrip().startswith(b"%"):
            return bool(HEADER.match(line))
    return False


def read_arff(path: Path, reading: "ReadingSettings", image: Sides) -> ImageFile:
    """Open an ARFF file of images, one attribute per pixel; plain or compressed.

    Raises:
        DataError: If it has no such header, or its attributes are no images; while it is read, for
            the first row that does not fit it.
    """
    with opened(path) as file:
        header = _header(path, file)
    columns = choose_columns(path, header.schema, reading, image)

    def parts(rows: int) -> Iterator[Part]:
        yield from _regrouped(_parsed(path, header, columns), rows)

    def place(index: int, value: int) -> str:
        name = columns.pixels[value]
        column = header.schema.get_field_index(name) + 1
        return f"row {_row_of(path, header, index):,}, column {column:,} ({name})"

    return ImageFile(
        described("ARFF", path), len(columns.pixels), None, parts,
        labelled=columns.label is not None, decisions=columns.decisions, place=place,
    )  # fmt: skip


def _header(path: Path, file: BinaryIO) -> _Header:
    """Read the header; leave the file where the rows begin."""
    fields: list[tuple[str, pa.DataType]] = []
    lines = size = 0
    while line := file.readline(LONGEST_LINE):
        lines, size = lines + 1, size + len(line)
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if DATA.match(text):
            return _Header(pa.schema(fields), lines)
        if text and not text.startswith(b"%") and not re.match(rb"@relation\b", text, re.I):
            fields.append(_attribute(path, lines, text))
        if size > LONGEST_HEADER:
            break
    raise DataError(
        f"{path}: an ARFF file whose header has no end: no line `@data` in its first {lines:,} "
        "lines.",
        "Copy or download it again, whole.",
    )


def _attribute(path: Path, row: int, line: bytes) -> tuple[str, pa.DataType]:
    found = ATTRIBUTE.match(line.decode("utf-8", "replace"))
    if found is None:
        raise DataError(
            f"{path}, row {row}: expected `@attribute NAME TYPE` or `@data`, got "
            f"{line[:40].decode('utf-8', 'replace')!r}.",
            "Correct the row, or export the file again.",
        )
    name = next(text for text in found.groups()[:3] if text is not None)
    kind = found[4].lower()
    if kind.startswith(("date", "relational")):
        raise DataError(
            f"{path}, row {row}: the attribute {name} holds {kind.split()[0]} values; expected "
            "numbers and a label.",
            "Remove the attribute, and export the file again.",
        )
    number = kind.startswith(("numeric", "real", "integer"))
    return re.sub(r"\\(.)", r"\1", name), pa.float64() if number else pa.string()


def _blocks(path: Path, header: _Header) -> Iterator[bytes]:
    """Yield the rows in blocks of whole lines, without comments and empty lines."""
    with opened(path) as file:
        for _ in range(header.lines):
            file.readline(LONGEST_LINE)
        rest = b""
        while read := bytes(read_exactly(file, BLOCK)) or (b"\n" if rest else b""):
            lines, _, rest = (rest + read).rpartition(b"\n")
            if len(rest) > LONGEST_LINE:
                raise DataError(
                    f"{path}: a row does not end within {len(rest):,} characters.",
                    "Copy or download it again, or export it again.",
                )
            if b"%" in lines or b"\n\n" in lines or b"\r" in lines or lines[:1] in (b"", b"\n"):
                kept = [line for line in lines.splitlines() if _is_row(line)]
                lines = b"\n".join(kept)
            if lines:
                yield lines + b"\n"


def _is_row(line: bytes) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith(b"%")


def _parsed(path: Path, header: _Header, columns: Columns) -> Iterator[Part]:
    """Parse block after block."""
    number, start = pa.uint8(), 0
    for block in _blocks(path, header):
        table = _table(block, header, columns, number)
        if table is None and number == pa.uint8():  # no bytes: from here on as real numbers
            number = pa.float64()
            table = _table(block, header, columns, number)
        if table is None:
            raise _first_error(path, header)
        part = _part(path, table, columns)
        if part.labels is not None and (missing := np.flatnonzero(part.labels == "?")).size:
            raise _no_label(path, _row_of(path, header, start + int(missing[0])), columns.label)
        start += len(part.pixels)
        yield part


def _table(block: bytes, header: _Header, columns: Columns, number: pa.DataType) -> pa.Table | None:
    """Parse some rows; None if one of them does not fit."""
    kinds = {field.name: field.type for field in header.schema}
    wanted = [*columns.pixels, *([columns.label] if columns.label is not None else [])]
    try:
        return pa_csv.read_csv(
            io.BytesIO(block),
            pa_csv.ReadOptions(column_names=header.schema.names, block_size=len(block) + 1,
                               use_threads=False),
            pa_csv.ParseOptions(quote_char="'", double_quote=False, escape_char="\\"),
            pa_csv.ConvertOptions(
                column_types={**kinds, **dict.fromkeys(columns.pixels, number)},
                include_columns=wanted, null_values=[], strings_can_be_null=False,
            ),
        )  # fmt: skip
    except pa.ArrowInvalid:
        return None


def _part(path: Path, table: pa.Table, columns: Columns) -> Part:
    pixels = np.empty((table.num_rows, len(columns.pixels)),
                      table.schema.field(columns.pixels[0]).type.to_pandas_dtype())  # fmt: skip
    for index, name in enumerate(columns.pixels):
        pixels[:, index] = table.column(name).to_numpy()
    if columns.label is None:
        return Part(pixels, None)
    column = table.column(columns.label)
    if column.type == pa.float64():
        return Part(pixels, label_values(path, column.to_numpy(), f"column {columns.label}"))
    return Part(pixels, word_labels([word.strip().strip("\"'") for word in column.to_pylist()]))


def _no_label(path: Path, row: int, name: str | None) -> DataError:
    return DataError(
        f"{path}, row {row}, column {name}: expected a label, got '?': a label is missing here.",
        "Fill it in, or remove this row; or use no labels: --reading.label none.",
    )


def _regrouped(parts: Iterator[Part], rows: int) -> Iterator[Part]:
    """Yield the images of all parts in parts of at most `rows`."""
    for pixels, labels in parts:
        for start in range(0, len(pixels), rows):
            some = slice(start, start + rows)
            yield Part(pixels[some], None if labels is None else labels[some])


def _numbered_rows(path: Path, header: _Header) -> Iterator[tuple[int, bytes]]:
    """Yield each row, with its number in the file, from 1."""
    with opened(path) as file:
        for row, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
            if row > header.lines and _is_row(line):
                yield row, line.strip()


def _row_of(path: Path, header: _Header, index: int) -> int:
    return next(row for count, (row, _) in enumerate(_numbered_rows(path, header))
                if count == index)  # fmt: skip


def _first_error(path: Path, header: _Header) -> DataError:
    """Find the first row that does not fit the header."""
    for row, line in _numbered_rows(path, header):
        if line.startswith(b"{"):
            return DataError(
                f"{path}, row {row:,}: a sparse row ({{index value, ...}}); expected one value per "
                "attribute.",
                "Convert the file to dense rows (Weka's filter SparseToNonSparse).",
            )
        if found := _row_error(line.decode("utf-8", "replace"), header.schema):
            place, problem, advice = found
            return DataError(f"{path}, row {row:,}{place}: {problem}.", advice)
    return DataError(f"{path}: its rows cannot be read.", "Export the file again.")


def _row_error(line: str, schema: pa.Schema) -> tuple[str, str, str] | None:
    """Return column, problem and advice of a row that does not fit; None if it does."""
    again = "Correct the row, or export the file again."
    try:
        cells = next(csv.reader([line], quotechar="'", escapechar="\\", skipinitialspace=True))
    except csv.Error as error:
        return "", str(error), again
    if len(cells) != len(schema):
        expected = f"expected {len(schema):,}, one per attribute of the header"
        return "", f"{len(cells):,} values; {expected}", again
    for column, (cell, field) in enumerate(zip(cells, schema, strict=True), start=1):
        if field.type == pa.float64() and not _is_number(cell):
            missing = " (a missing value)" if cell.strip() == "?" else ""
            place = f", column {column:,} ({field.name})"
            problem = f"expected a number, got {cell[:30]!r}{missing}"
            return place, problem, "Correct the value, or remove the row."
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
