"""Labels in a table of text of their own: one per row, alone, beside a row name, or one-hot."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.byte_text import parse_bytes
from tasks.formats import csv_errors as errors
from tasks.formats.compression import described
from tasks.formats.csv_columns import INDEXES, LABELS
from tasks.formats.csv_dialect import BLANK
from tasks.formats.csv_evidence import are_words, counts, is_word, number_in, repeats
from tasks.formats.csv_table import Table, numbered, open_table
from tasks.formats.csv_text import LONGEST
from tasks.formats.errors import DataError
from tasks.formats.image_file import LabelFile

if TYPE_CHECKING:
    from autoencoders.settings import ReadingSettings

FEW = 0.05
"""Share of words among numbers up to which they are errors, not labels."""
MOST_CLASSES = 1000
MOST_DIGITS = 18
"""Digits of a whole number that surely fits 64 bits."""


class Column(NamedTuple):
    """The labels of a table as they stand there."""

    rows: NDArray[np.int64]
    """The number of each row in the file, (n,)."""
    cells: NDArray[np.bytes_]
    """The text of each label, (n,); of a one-hot one, its cells with commas between."""


def csv_labels(path: Path, reading: "ReadingSettings", count: int | None = None) -> LabelFile:
    """Read labels, one per row: whole numbers, words, or one-hot.

    Args:
        path: The file, compressed or not.
        reading: What is set of its header and its label column.
        count: How many labels there should be, if that is known. It decides whether the first row
            is a header where its content does not.

    Returns:
        The labels, int64 or text, (n,).

    Raises:
        DataError: If a label is missing, or the columns do not say which one is the label.
    """
    table = open_table(path, "no", LONGEST)
    if table.dialect.separator == BLANK and len({row[0] for row in table.rows}) == 1 < table.width:
        # The same word in front of all labels, as in `class 7`, is a part of them
        table = replace(table, width=1, rows=[[b" ".join(row)] for row in table.rows])
    plain = _plain(table, reading.header, count)
    if plain is not None:
        return plain
    below = replace(table, rows=table.rows[1:] or table.rows)
    above = [_small(cell) for cell in table.rows[0]]
    first, end = _label_columns(below, above, reading.label)
    others = [at for at in range(table.width) if not first <= at < end]
    names = next((at for at in others if _names_rows(below, at, above[at])), None)
    column = _column(table, first, end)
    header = reading.header == "yes" or (
        reading.header == "auto" and _has_header(table, column, first, end, count)
    )
    column = Column(column.rows[header:], column.cells[header:])
    if not len(column.rows):
        row = table.skipped + 1 + header
        raise DataError(
            f"{path}, row {row}, column 1: no labels from here on.", "Write one per row."
        )
    _check_gaps(path, column.rows)
    return LabelFile(
        described(", ".join(("CSV", *table.described, *(["header line"] * header))), path),
        _values(path, column, first, end),
        partial(_place, column.rows, first),
        None if names is None else lambda: table.cells_of(names)[header:],
    )


def _plain(table: Table, header: str, count: int | None) -> LabelFile | None:
    """Read numbers up to 255, one per line, below a word or nothing: the form of nearly all files
    of labels; None if it is another one."""
    if table.width > 1:
        return None
    named = header == "yes" or (header == "auto" and is_word(table.rows[0][0]))
    above = table.skipped + named
    found = []
    for block in replace(table, skipped=above).blocks():
        values = parse_bytes(block.text, 1)
        if values is None:
            return None
        found.append(values[:, 0])
    values = np.concatenate(found) if found else np.empty(0, np.uint8)
    if not len(values) or (header == "auto" and not named and len(values) - 1 == count):
        return None
    form = described(", ".join(("CSV", *(["header line"] * named))), table.path)
    return LabelFile(
        form, values.astype(np.int64), lambda index: f"row {above + 1 + index}, column 1"
    )


def _small(cell: bytes) -> str:
    return cell.decode("utf-8", "replace").lower()


def _label_columns(table: Table, names: list[str], wanted: str) -> tuple[int, int]:
    """Return the first column of the label and the one behind its last."""
    width = table.width
    if width == 1:
        return 0, 1
    if wanted in {"first", "last"}:
        at = 0 if wanted == "first" else width - 1
        return at, at + 1
    for name in LABELS:
        if name in names:
            return names.index(name), names.index(name) + 1
    first = int(_names_rows(table, 0, names[0]))
    if width - first == 1:
        return first, width
    if width - first <= MOST_CLASSES and sum(
        _is_onehot(row[first:]) for row in table.rows
    ) >= 0.9 * len(table.rows):
        return first, width
    if width == 2 and _names_rows(table, 1, names[1]):
        return 0, 1
    raise DataError(
        f"{table.path}, row {table.skipped + 1}, column 2: expected one label per row, got "
        f"{width:,} columns.",
        "If one of them is the label, say which: --reading.label first or --reading.label last."
        if width < 16
        else "If these are images, call the file so, for instance data.csv.",
    )


def _names_rows(table: Table, at: int, name: str) -> bool:
    """Tell whether a column names or counts the rows."""
    return (
        (name in INDEXES and (bool(name) or at == 0))
        or counts(table, at)
        or (are_words(table, at) and not repeats(table, at))
    )


def _is_onehot(cells: Sequence[bytes]) -> bool:
    values = list(map(number_in, cells))
    return values.count(1) == 1 and values.count(0) == len(values) - 1


def _column(table: Table, first: int, end: int) -> Column:
    rows, cells = [], []
    for block in table.blocks():
        if b"\0" in block.text:
            raise errors.zeros_in(table.path, block)
        lines = list(numbered(block))
        rows.append(np.array([row for row, _ in lines], np.int64))
        if table.width == 1 and b'"' not in block.text and not table.dialect.trailing:
            some = [line.strip() for _, line in lines]
        else:
            found = [errors.checked_cells(table, row, line) for row, line in lines]
            some = [b",".join(row[first:end]) for row in found]
        cells.append(np.array(some, np.bytes_))
    return Column(np.concatenate(rows), np.concatenate(cells))


def _has_header(table: Table, column: Column, first: int, end: int, count: int | None) -> bool:
    """Tell whether the first row is a header, by its content or else by the number of rows."""
    top, rest = bytes(column.cells[0]), column.cells[1:]
    if not len(rest):
        return _small(top) in LABELS
    if first > 0 and not table.rows[0][0]:
        return True  # pandas and R name no row numbers
    if (rest == top).any():
        return False  # a label like others
    if end - first > 1:
        return not _is_onehot(top.split(b","))
    names = {_small(cell) for cell in table.rows[0]}
    if is_word(top) and (names & {*LABELS} or not any(is_word(bytes(cell)) for cell in rest)):
        return True
    return len(column.rows) - 1 == count and (is_word(top) or top == b"0")


def _check_gaps(path: Path, rows: NDArray[np.int64]) -> None:
    """Refuse empty lines between labels, unless there is one behind every label."""
    steps = np.diff(rows)
    if len(steps) > 2 and (steps == 2).all():
        return
    gaps = np.flatnonzero(steps > 1)
    if len(gaps):
        row = int(rows[gaps[0]]) + 1
        raise errors.missing_label(f"{path}, row {row}, column 1: ", b"")


def _values(path: Path, column: Column, first: int, end: int) -> NDArray[Any]:
    cells = column.cells
    if end - first > 1:
        found = [errors.onehot(path, int(row), first + 1, cell.split(b","))
                 for row, cell in zip(column.rows, cells, strict=True)]  # fmt: skip
        return np.array(found, np.int64)
    if np.char.isdigit(cells).all() and cells.itemsize <= MOST_DIGITS:
        return cells.astype(np.int64)
    words = np.array([is_word(cell) for cell in cells.tolist()])
    read = errors.word if words.mean() > FEW else errors.whole_label
    return np.array([read(path, int(row), first + 1, cell)
                     for row, cell in zip(column.rows, cells.tolist(), strict=True)])  # fmt: skip


def _place(rows: NDArray[np.int64], first: int, index: int) -> str:
    return f"row {rows[index]}, column {first + 1}"
