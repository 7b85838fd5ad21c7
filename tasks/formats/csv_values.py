"""Blocks of a table's lines as arrays: many at once where all is plain, else row by row."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.byte_text import parse_bytes
from tasks.formats import csv_errors as errors
from tasks.formats.csv_dialect import (
    BLANK,
    BLANKS,
    Cells,
    Dialect,
    cut_first,
    cut_last,
    single_blanks,
)
from tasks.formats.csv_evidence import BOOLS, is_word, listed
from tasks.formats.csv_layout import Columns
from tasks.formats.csv_numbers import floats, plain_lines
from tasks.formats.csv_table import Table, numbered
from tasks.formats.csv_text import BLOCK, FLOAT_BLOCK, INNER, Block

LOOKED_AT = 1000
"""Pixels of a row that are looked at to tell how numbers are written."""
LIST_CHARACTERS = bytes.maketrans(b"[]();|\t" + INNER, b"        ")
BOOL_LINES = re.compile(rb"(?:(?i:true|false)[,\n])*+")
EMPTY_LINES = re.compile(rb"\n\n+")
SHORT = re.compile(rb"[0-9]{1,3}")
WHOLE = re.compile(rb"(?:[0-9]{1,18},)*[0-9]{1,18}")


class Rows(NamedTuple):
    """What the lines of a block hold."""

    pixels: NDArray[Any]
    """uint8 or float64, (n, width)"""
    labels: NDArray[Any] | None
    """int64 or text, (n,)"""
    numbers: NDArray[np.int64] | None
    """What the column of row numbers holds, (n,)."""
    lines: Callable[[], list[int]]
    """Returns the number of each row in the file."""


class Form(NamedTuple):
    """Everything that it takes to parse a block."""

    table: Table
    columns: Columns
    values: str
    """How numbers are written in the first rows: byte, whole (also 7.0), float, hex or bool."""
    at_once: bool
    """Whether all columns are bytes, the others too."""

    @property
    def block(self) -> int:
        """Bytes of text that are parsed at a time."""
        return FLOAT_BLOCK if self.values == "float" else BLOCK

    @property
    def path(self) -> Path:
        """The file, for messages."""
        return self.table.path


def form_of(table: Table, columns: Columns) -> Form:
    """Find out by the first rows how numbers are written."""
    end = table.width - columns.trail
    looked_at = slice(columns.lead, min(end, columns.lead + LOOKED_AT))
    some = [cell for row in table.rows[:20] for cell in row[looked_at]]
    if columns.cell is not None:
        some = [value for row in table.rows[:5] for value in listed(row[columns.cell])]
    kinds = {
        "byte": lambda cell: SHORT.fullmatch(cell) is not None,
        "hex": lambda cell: cell[:2].lower() == b"0x",
        "bool": lambda cell: cell.lower() in BOOLS,
        "whole": lambda cell: SHORT.fullmatch(cell.removesuffix(b".0")) is not None,
    }
    most = 0.9 * len(some)  # single errors do not count
    values = next((kind for kind, fits in kinds.items() if sum(map(fits, some)) >= most), "float")
    beside = [cell for row in table.rows for cell in (*row[: columns.lead], *row[end:])]
    at_once = (
        columns.cell is None
        and columns.index is None
        and not columns.onehot
        and table.dialect.separator != BLANK
        and all(cell.isdigit() and len(cell) <= 3 and int(cell) <= 255 for cell in beside)
    )
    return Form(table, columns, values, at_once)


def parse(block: Block, form: Form) -> Rows:
    """Read some lines.

    Raises:
        DataError: For the first cell or row that is wrong.
    """
    text, dialect = block.text, form.table.dialect
    if b"\0" in text:
        raise errors.zeros_in(form.path, block)
    if dialect.separator == BLANK:
        text = single_blanks(text)
    if dialect.trailing:
        text = text.replace(dialect.separator * dialect.trailing + b"\n", b"\n")
    found = _at_once(text, block, form)
    if found is None and (text[:1] == b"\n" or b"\n\n" in text):
        found = _at_once(EMPTY_LINES.sub(b"\n", text).removeprefix(b"\n"), block, form)
    return found or _row_by_row(block, form)


def _at_once(text: bytes, block: Block, form: Form) -> Rows | None:
    """Read lines of one form, the same as in the first rows; None if that does not do."""
    dialect, columns = form.table.dialect, form.columns
    whole = None
    if form.at_once and (plain := plain_lines(text, dialect)):
        whole = parse_bytes(plain, columns.total)
    if whole is not None:
        behind = columns.total - columns.trail
        beside = np.concatenate((whole[:, : columns.lead], whole[:, behind:]), axis=1)
        labels = _labels_of(beside, columns)
        return Rows(whole[:, columns.lead : behind], labels, None, lambda: _line_numbers(block))
    taken = _apart(text, dialect, columns) if text else ([], b"")
    pixels = None if taken is None else _pixels(taken[1], form)
    if taken is None or pixels is None:
        return None
    return _joined(taken[0], pixels, block, form)


def _apart(text: bytes, dialect: Dialect, columns: Columns) -> tuple[list[Cells], bytes] | None:
    """Take the other cells of each line away; None if it takes more than splitting.

    Returns:
        The other cells of each line, no lines at all if there are none; and the lines with the
        pixels alone.
    """
    if not columns.lead and not columns.trail and columns.cell is None:
        return [], text
    beside, pixels = [], []
    separator = dialect.separator
    for line in text.removesuffix(b"\n").split(b"\n"):
        if b'"' in line:
            cut = _cut_quoted(line, dialect, columns)
        else:
            cut = line.split(separator, columns.lead)
            cut = [*cut[:-1], *cut[-1].rsplit(separator, columns.trail)]
        if cut is None or len(cut) != columns.lead + columns.trail + 1:
            return None
        pixels.append(cut.pop(columns.lead))
        beside.append([cell.strip(BLANKS) for cell in cut])
    pixels.append(b"")
    return beside, b"\n".join(pixels)


def _cut_quoted(line: bytes, dialect: Dialect, columns: Columns) -> Cells:
    """Cut a line with quotes into its other cells and the text of its pixels."""
    if columns.cell is not None:
        return dialect.split(line)
    before: Cells = []
    behind: Cells = []
    for _ in range(columns.lead):
        cell, line = cut_first(line, dialect.separator)
        before.append(cell)
    for _ in range(columns.trail):
        cell, line = cut_last(line, dialect.separator)
        behind.insert(0, cell)
    return [*before, line, *behind]


def _pixels(text: bytes, form: Form) -> NDArray[Any] | None:
    """Read lines of pixels alone: uint8 or float64, (n, width); None if that is not plain."""
    width, dialect = form.columns.width, form.table.dialect
    if not text:
        return np.empty((0, width), np.uint8)
    if form.columns.cell is not None:
        if dialect.decimal_comma:
            return None
        text = single_blanks(text.translate(LIST_CHARACTERS).replace(b",", b" "))
        dialect = Dialect(BLANK)
    if form.values == "float" and dialect.separator == b",":  # mostly plain without looking
        found: NDArray[Any] | None = floats(text, width)
        if found is not None:
            return found
    plain = plain_lines(text, dialect)
    if plain is None or form.values == "hex":
        return None
    if form.values == "bool":
        if not BOOL_LINES.fullmatch(plain):
            return None
        plain = re.sub(rb"[Ff][a-zA-Z]+", b"0", re.sub(rb"[Tt][a-zA-Z]+", b"1", plain))
    found = None if form.values == "float" else parse_bytes(plain, width)
    if found is None and form.values == "whole":
        found = parse_bytes(plain.replace(b".0,", b",").replace(b".0\n", b"\n"), width)
    return floats(plain, width) if found is None and form.values != "bool" else found


def _row_by_row(block: Block, form: Form) -> Rows:
    """Read lines one by one, in whatever form: the reference for the ways that are faster.

    Raises:
        DataError: For the first cell or row that is wrong.
    """
    beside, pixels = [], []
    for row, line in numbered(block):
        cells = errors.checked_cells(form.table, row, line)
        lead, end = form.columns.lead, len(cells) - form.columns.trail
        beside.append([*cells[:lead], *cells[end:]])
        pixels.append(errors.checked_values(form.table, form.columns, form.values, row, cells))
    found = np.array(pixels, np.float64).reshape(-1, form.columns.width)
    whole = found.astype(np.uint8) if ((found >= 0) & (found <= 255)).all() else None
    exact = whole is not None and (whole == found).all()
    return _joined(beside, whole if exact and whole is not None else found, block, form)


def _joined(beside: Sequence[Cells], pixels: NDArray[Any], block: Block, form: Form) -> Rows:
    """Read the cells beside the pixels."""
    columns = form.columns
    labels = index = None
    if columns.label is not None:
        behind = columns.label >= columns.lead
        at = columns.label - (columns.total - columns.lead - columns.trail if behind else 0)
        labels = _label_column([cells[at] for cells in beside], block, form)
    elif columns.onehot:
        labels = _onehot([cells[columns.lead :] for cells in beside], block, form)
    if columns.row_numbers and (
        words := [at for at, cells in enumerate(beside) if is_word(cells[0])]
    ):
        raise errors.no_row_number(form.path, _line_numbers(block)[words[0]], beside[words[0]][0])
    if columns.index is not None:
        index = np.array([errors.row_number(cells[0]) for cells in beside], np.int64)
    return Rows(pixels, labels, index, lambda: _line_numbers(block))


def _label_column(cells: Cells, block: Block, form: Form) -> NDArray[Any]:
    plain = b",".join(cells)
    if not form.columns.words and WHOLE.fullmatch(plain):
        return np.array(plain.split(b","), np.int64)
    assert form.columns.label is not None
    rows = _line_numbers(block)
    read = errors.word if form.columns.words else errors.whole_label
    found = [read(form.path, row, form.columns.label + 1, cell)
             for row, cell in zip(rows, cells, strict=True)]  # fmt: skip
    return np.array(found, np.str_ if form.columns.words else np.int64)


def _onehot(cells: list[Cells], block: Block, form: Form) -> NDArray[np.int64]:
    rows = _line_numbers(block)
    first = form.table.width - form.columns.onehot + 1
    found = [errors.onehot(form.path, row, first, some)
             for row, some in zip(rows, cells, strict=True)]  # fmt: skip
    return np.array(found, np.int64)


def _labels_of(beside: NDArray[np.uint8], columns: Columns) -> NDArray[np.int64] | None:
    if columns.label is None:
        return None
    behind = columns.label >= columns.lead
    at = columns.label - (columns.width if behind else 0)
    return beside[:, at].astype(np.int64)


def _line_numbers(block: Block) -> list[int]:
    return [row for row, _ in numbered(block)]
