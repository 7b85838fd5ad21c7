"""How the numbers of a table are written, and other numbers written alike."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.formats.csv_evidence import listed
from tasks.formats.csv_values import Form

LOOKED_AT = 20
"""Rows whose numbers are looked at."""
MOST_DECIMALS = 9
"""What is told apart in images of float32; more are written only where all numbers have as many."""
MOST_TEXTS = 1 << 16
"""Whole numbers whose texts are kept."""
DECIMALS = re.compile(rb"[+-]?[0-9]*(?:\.([0-9]*))?(?:[eE][+-]?[0-9]+)?")
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """How numbers are written."""

    write: Callable[[Values], list[bytes]]
    """Takes the values of an image, (width,), and returns their texts."""


def style_of(form: Form, step: float) -> Style:
    """Find out how the numbers of a table are written.

    Args:
        form: The table.
        step: The difference of values that must not be lost: 1 where all are whole numbers.
    """
    cells = _sample(form)
    if form.values == "hex":
        return Style(_hexadecimal(cells))
    if form.values == "bool":
        return Style(_words(cells))
    decimals = [len(DECIMALS.match(cell)[1] or b"") for cell in cells]  # type: ignore[index]
    most, alike = max(decimals), len(set(decimals)) == 1
    # The first rows may be black and white alone
    least = max(0, math.ceil(-math.log10(step)))
    point = b"," if form.table.dialect.decimal_comma else b"."
    if step == 1 and most == 0:
        return Style(_Whole())
    if sum(b"e" in cell.lower() for cell in cells) * 2 > len(cells):
        return Style(_fixed(f"%.{max(most, least)}e", point))
    if alike and most >= max(1, least):
        return Style(_fixed(f"%.{most}f", point))
    bare = any(cell.isdigit() for cell in cells)
    return Style(_shortest(min(max(most, least), MOST_DECIMALS), point, bare=bare))


def _sample(form: Form) -> Sequence[bytes]:
    """Return some numbers as they are written, with a decimal point."""
    table, columns = form.table, form.columns
    rows = table.rows[:LOOKED_AT]
    if columns.cell is not None:
        return [value for row in rows for value in listed(row[columns.cell])]
    inside = slice(columns.lead, table.width - columns.trail)
    return [cell for row in rows for cell in row[inside] if cell]


class _Whole:
    """Writes whole numbers; each text is made once."""

    def __init__(self) -> None:
        self._texts: dict[int, bytes] = {}

    def __call__(self, values: Values) -> list[bytes]:
        texts = self._texts
        numbers = values.astype(np.int64).tolist()
        try:
            return [texts[number] for number in numbers]
        except KeyError:
            if len(texts) > MOST_TEXTS:
                texts.clear()
            texts |= {number: b"%d" % number for number in numbers}
            return [texts[number] for number in numbers]


def _hexadecimal(cells: Sequence[bytes]) -> Callable[[Values], list[bytes]]:
    digits = [cell[2:] for cell in cells]
    width = len(digits[0]) if len(set(map(len, digits))) == 1 else 1
    letters = "X" if any(cell.upper() == cell != cell.lower() for cell in digits) else "x"
    form = f"{cells[0][:2].decode()}%0{width}{letters}".encode()
    return lambda values: [form % number for number in values.astype(np.int64).tolist()]


def _words(cells: Sequence[bytes]) -> Callable[[Values], list[bytes]]:
    change = next(
        (one for one in (bytes.upper, bytes.lower) if all(one(cell) == cell for cell in cells)),
        bytes.capitalize,
    )
    words = (change(b"false"), change(b"true"))
    return lambda values: [words[value >= 0.5] for value in values.tolist()]


def _fixed(form: str, point: bytes) -> Callable[[Values], list[bytes]]:
    """Return a writer of numbers that all have the same number of decimals."""

    def write(values: Values) -> list[bytes]:
        line = " ".join([form] * len(values)) % tuple(values.tolist())
        return line.encode().replace(b".", point).split(b" ")

    return write


def _shortest(decimals: int, point: bytes, *, bare: bool) -> Callable[[Values], list[bytes]]:
    """Return a writer of numbers without the zeros behind them; `bare` ones without a point too."""
    zero = b"" if bare else point + b"0"
    fixed = _fixed(f"%.{decimals}f", point)

    def write(values: Values) -> list[bytes]:
        # Rounded first, so that no small negative number is written as -0
        texts = [text.rstrip(b"0") for text in fixed(np.round(values, decimals) + 0.0)]
        return [text[:-1] + zero if text.endswith(point) else text for text in texts]

    return write
