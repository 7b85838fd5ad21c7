"""Whether the first line of a table names its columns, numbers them, or is an image in disguise."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tasks.formats.csv_dialect import NUMBER, Cells, has_letter, is_list

MANGLED: tuple[tuple[str, re.Pattern[bytes], int], ...] = (
    ("pandas.read_csv", re.compile(rb"(.+)\.([0-9]+)"), 1),
    ("polars.read_csv", re.compile(rb"(.*)_duplicated_([0-9]+)"), 0),
)
"""Who makes names of the values of an image: the pattern of a repeated one, and its first number.
"""


MOST_BY_CHANCE = 15
"""Values that an image may have all different from each other, and all the smallest there are."""


class Header(NamedTuple):
    """What the first line of a table is."""

    names: tuple[str, ...] | None
    """Column names; None if there are none, so that the line is a row."""
    image: Cells | None = None
    """The values of the first image, where a program made column names of them."""
    why: str = ""
    """What it was taken for, and by what; empty for a plain row."""
    option: str = ""
    """The setting that decides otherwise."""


NONE = Header(None)


def find_header(first: Cells, second: Cells | None, wanted: str) -> Header:
    """Tell what the first line of a table of numbers is.

    Args:
        first: Its cells.
        second: The cells of the line below; None if there is none.
        wanted: The setting: auto, yes or no.
    """
    if wanted == "no":
        return NONE
    names = tuple(cell.decode("utf-8", "replace") for cell in first)
    if wanted == "yes":
        return Header(names, None, "header line: as set", "--reading.header auto")
    if second is not None and (image := _image_of(first, second)) is not None:
        return image
    if _has_names(first, second):
        return Header(names, None, "header line: the first line holds names", "--reading.header no")
    if second is not None and (_counts(first) or _mixes(first)) and len(first) == len(second):
        what = f"header line: the first line counts {names[0] or names[1]}, …, {names[-1]}"
        return Header(names, None, what, "--reading.header no")
    return NONE


def _has_names(first: Cells, second: Cells | None) -> bool:
    """Tell whether a line names columns: words, and numbers at most where they count."""
    words = [cell for cell in first if not _is_value(cell)]
    if not any(map(has_letter, words)):
        return False
    numbers = [cell for cell in first if cell and _is_value(cell)]
    if not numbers:
        return second is None or not _same_kinds(first, second)
    if len(numbers) > 2 and _counts(_sorted(numbers)):
        return True
    return second is not None and _are_above_numbers(first, second)


def _are_above_numbers(first: Cells, second: Cells) -> bool:
    """Tell whether most cells are words with a number below, as where a column is called 0 that
    was joined to others."""
    above = [not _is_value(one) and _is_value(other)
             for one, other in zip(first, second, strict=False)]  # fmt: skip
    return len(first) == len(second) and 2 * sum(above) > len(first)


def _is_value(cell: bytes) -> bool:
    return not cell or NUMBER.fullmatch(cell) is not None or is_list(cell)


def _same_kinds(first: Cells, second: Cells) -> bool:
    """Tell whether the second line is all words, too: then nothing says that these are names."""
    return not any(cell and _is_value(cell) for cell in second) and len(first) == len(second)


def _counts(cells: Cells) -> bool:
    """Tell whether cells are the numbers 0, 1, 2, … or 1, 2, 3, …; the first may be empty."""
    cells = cells[1:] if cells and not cells[0] else cells
    start = int(cells[0]) if len(cells) > 2 and cells[0] in {b"0", b"1"} else None
    return start is not None and all(
        cell == b"%d" % number for number, cell in enumerate(cells, start)
    )


def is_grid(first: Cells, second: Cells) -> bool:
    """Tell whether two lines number the rows and columns of an image: 0, 0, 0, 1, … above
    0, 1, 2, 0, …; what stands before the numbers does not count."""
    pairs = [pair for pair in zip(first, second, strict=False) if all(map(bytes.isdigit, pair))]
    places = [(int(down[:9]), int(across[:9])) for down, across in pairs]
    if len(places) <= MOST_BY_CHANCE or len(places) < len(first) - 1:
        return False
    rows, columns = ({place[at] for place in places} for at in (0, 1))
    return len(rows) * len(columns) == len(places) and places == sorted(set(places))


def _mixes(cells: Cells) -> bool:
    """Tell whether cells are the numbers that count in another order, such as 0, 1, 10, 11, …, 2;
    so many of them that no image has just these values."""
    return len(cells) > MOST_BY_CHANCE and _counts(_sorted([cell for cell in cells if cell]))


def _sorted(cells: Cells) -> Cells:
    return sorted(cells, key=lambda cell: (len(cell), cell))


def _image_of(first: Cells, second: Cells) -> Header | None:
    """Recover the image of which a program made column names: 0, 0.1, 0.2, …, 3, 3.1.

    A repeated value has got a number behind it there. That is undone only where it explains every
    cell: each number is that of the repetition, and without it all values have the form of those in
    the line below.
    """
    if len(first) != len(second):
        return None
    for who, cells, pattern, start in _disguises(first):
        image = _undone(cells, pattern, start, second)
        if image is not None:
            return Header(
                None,
                image,
                f"first image: {who} had made column names of it ({_some(first)}), and the numbers "
                "behind repeated values are taken away",
                "--reading.header yes",
            )
    return None


def _disguises(first: Cells) -> list[tuple[str, Cells, re.Pattern[bytes], int]]:
    if all(cell[:1] == b"X" for cell in first[1:]):  # R puts it before numbers
        cells = [re.sub(rb"^X(?=[0-9])", b"", cell) for cell in first]
        return [("read.csv", cells, MANGLED[0][1], 1)]
    return [(who, first, pattern, start) for who, pattern, start in MANGLED]


def _undone(cells: Cells, pattern: re.Pattern[bytes], start: int, below: Cells) -> Cells | None:
    form = _form(below)
    seen: Counter[bytes] = Counter()
    image, repeated = [], 0
    for cell, other in zip(cells, below, strict=True):
        value, found = cell, pattern.fullmatch(cell)
        if found and form.fullmatch(found[1]) and not form.fullmatch(cell):
            value = found[1]
            if not seen[value] or int(found[2]) != seen[value] - 1 + start:
                return None
            repeated += 1
        elif seen[value] or (NUMBER.fullmatch(other) and value and not form.fullmatch(value)):
            return None  # such a program has no two equal names
        seen[value] += 1
        image.append(value)
    return image if repeated else None


def _form(cells: Cells) -> re.Pattern[bytes]:
    """Return how these values are written: whole, or with a point."""
    whole = all(b"." not in cell for cell in cells if NUMBER.fullmatch(cell))
    return re.compile(rb"-?[0-9]+" if whole else rb"-?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?")


def is_disguised(first: Cells) -> bool:
    """Tell whether a line has values repeated eleven times with the numbers of pandas behind them,
    up to `0.10`, though not every cell is explained so."""
    seen: Counter[bytes] = Counter()
    for cell in first:
        value, _, number = cell.rpartition(b".")
        if not (value and number.isdigit() and seen[value] == int(number[:9])):
            value = cell
        elif number == b"10":
            return True
        seen[value] += 1
    return False


def _some(cells: Sequence[bytes]) -> str:
    return ", ".join(cell.decode("latin-1") for cell in cells[:3]) + ", …"
