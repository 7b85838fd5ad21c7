"""What the values of a column look like: words, row numbers, labels, or pixels."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.formats.csv_dialect import NUMBER, Cells, has_letter
from tasks.formats.csv_table import Table

LIST_BREAK = re.compile(rb"[\s,;|\[\]()]+")
BOOLS = {b"true": 1.0, b"false": 0.0}
MOST_CLASSES = 1000
MOST = 0.9
"""Share of a column's cells that say what it is; single errors do not count."""
ENOUGH = 30
"""Rows from which a correlation says something."""
PIXELS, OTHERS = 0.5, 0.25
"""Pixels side by side have at least the one correlation, a label and a pixel at most the other."""


def are_words(table: Table, at: int, share: float = 0.5) -> bool:
    """Tell whether more than a share of a column's cells are words."""
    cells = [row[at] for row in table.rows]
    return sum(map(is_word, cells)) > share * len(cells)


def is_word(cell: bytes) -> bool:
    """Tell whether a cell is text with letters in it."""
    return NUMBER.fullmatch(cell) is None and has_letter(cell)


def repeats(table: Table, at: int) -> bool:
    """Tell whether a column has fewer different values than half of its rows, as labels have."""
    cells = [row[at] for row in table.rows]
    return 2 * len(set(cells)) <= len(cells) or len(cells) < 4


def are_labels(table: Table, at: int) -> bool:
    """Tell whether a column that is no pixel may be labels that are numbers."""
    return _like_labels(_numbers(table.rows, (at,))[0]) and repeats(table, at)


def counts(table: Table, at: int) -> bool:
    """Tell whether a column counts the rows from 0 or 1."""
    cells = [row[at] for row in table.rows]
    if table.header.image is not None and not cells[0]:
        del cells[0]  # the name of a column without one
    start = cells[0] if cells else b""
    return (
        len(cells) > 2
        and start in {b"0", b"1"}
        and all(cell == b"%d" % number for number, cell in enumerate(cells, int(start)))
    )


def listed(cell: bytes) -> Cells:
    """Return the numbers of a cell that holds several."""
    return [value for value in LIST_BREAK.split(cell) if value]


def label_side(table: Table, first: int, last: int) -> int | None:
    """Tell whether the first (0) or the last (1) of some columns is the label, the rest pixels.

    Labels are whole numbers from 0 that lie close together and differ from row to row; pixels at
    the edge of an image are often all the same, and look like the pixels beside them. None if that
    leaves a doubt, or if both are constant all the way through the file.
    """
    side = _side(_numbers(table.rows, (first, first + 1, last - 1, last)))
    if side is None and not table.whole:
        rows = (table.dialect.ends(line) for _, line in table.lines())
        right = (row for row in rows if len(row) == table.width)
        side = _side(_numbers(itertools.islice(right, 100_000), (first, first + 1, last - 1, last)))
    return side


def _numbers(rows: Iterable[Sequence[bytes]], columns: tuple[int, ...]) -> NDArray[np.float64]:
    """Return some columns as numbers, (columns, rows); what is none becomes NaN."""
    found = [[number_in(row[at]) for at in columns] for row in rows]
    return np.array(found, np.float64).T


def number_in(cell: bytes) -> float:
    """Return the number in a cell, 1 or 0 of True and False; NaN if there is none."""
    try:
        return float(cell)
    except ValueError:
        return BOOLS.get(cell.lower(), float("nan"))


def _side(values: NDArray[np.float64]) -> int | None:
    outer, inner = values[[0, 3]], values[[1, 2]]
    fits = [_like_labels(column) for column in outer]
    if fits[0] == fits[1]:
        fits = [fits[at] and _all_classes(outer[at]) for at in (0, 1)]
    alike = [abs(_correlation(outer[at], inner[at])) for at in (0, 1)]
    if fits[0] != fits[1]:
        side = 0 if fits[0] else 1
        enough = outer.shape[1] >= ENOUGH
        return None if enough and alike[side] >= PIXELS else side  # a dark pixel at the edge
    if not fits[0] or outer.shape[1] < ENOUGH or max(alike) < PIXELS or min(alike) > OTHERS:
        return None
    return int(alike[1] < alike[0])


def _like_labels(values: NDArray[np.float64]) -> bool:
    """Tell whether a column may be labels: whole numbers from 0 or 1, not all the same, with few
    gaps."""
    good = (values >= 0) & (values % 1 == 0) & (values < np.inf)
    if good.mean() < MOST:
        return False
    values = values[good]
    different = len(np.unique(values))
    span = values.max() - values.min() + 1
    return bool(different > 1 and span <= MOST_CLASSES and values.min() <= 1
                and span <= 4 * different)  # fmt: skip


def _all_classes(values: NDArray[np.float64]) -> bool:
    """Tell whether every number from the least to the greatest is there, more than once each."""
    values = values[np.isfinite(values)]
    different = len(np.unique(values))
    return bool(values.max() - values.min() + 1 == different and 2 * different <= len(values))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    good = np.isfinite(one) & np.isfinite(other)
    one, other = one[good], other[good]
    if not len(one) or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def onehot_widths(table: Table, width: int, *, first: bool = False) -> Iterator[int]:
    """Yield how many columns at the end, or the beginning if `first`, hold exactly one 1 in each of
    the first rows, else 0."""
    most = min(MOST_CLASSES, width - 1)
    some = range(most) if first else range(table.width - 1, table.width - most - 1, -1)
    values = _numbers(table.rows, tuple(some))  # (columns, rows), the outermost column first
    binary = ((values == 0) | (values == 1)).all(axis=1)
    usable = most if binary.all() else int(np.argmin(binary))
    if usable < 2:
        return
    ones = np.cumsum(values[:usable], axis=0)
    for classes in np.flatnonzero((ones == 1).all(axis=1)):
        if classes > 0:
            yield int(classes) + 1


def shown(table: Table, at: int) -> str:
    """Show the different values of a column, some of them."""
    different = list(dict.fromkeys(row[at].decode("utf-8", "replace") for row in table.rows))
    return ", ".join(different[:6]) + (", …" if len(different) > 6 else "")
