"""How the text of a table becomes cells: which character separates, which one is the decimal point.

It is recognised from the first lines; every other line is checked against it while it is read.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from tasks.formats.csv_text import INNER

Cells = list[bytes]

BLANKS = b" \t"
BLANK = b" "
"""As a separator, it stands for a run of blanks and tabs."""
NAMES = {b",": "commas", b";": "semicolons", b"\t": "tabs", b"|": "pipes", BLANK: "blanks"}
CANDIDATES = (
    (b"\t", False), (b"\t", True), (b";", False), (b";", True), (b"|", False), (b"|", True),
    (b",", False), (BLANK, False), (BLANK, True),
)  # fmt: skip
"""Separators, and whether numbers have a decimal comma; of equally good ones the first is taken. A
comma comes late, since it may be a decimal point, and a blank last, since it stands beside all."""
LOOKED_AT = 30
"""Rows from which a separator is chosen."""
LOOKED_AT_CELLS = 60
"""Cells of such a row, from its beginning and its end."""
NUMBER = re.compile(
    rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|0[xX][0-9a-fA-F]+"
    rb"|(?i:true|false|[+-]?nan|[+-]?inf(?:inity)?)"
)
"""What is a number in some form; whether it is a good one is checked later."""
THOUSANDS = re.compile(rb"[1-9][0-9]{0,2}(?:[,.' ][0-9]{3})+")
"""A whole number with marks between its thousands."""
LIST = re.compile(rb"[\[(\s]*(?:[0-9.eE+-]+[\s,;|\[\]]+){3,}[0-9.eE+-]+[\s,;|\])]*")
"""Numbers of one image in one cell."""
QUOTED = rb'"([^"]*(?:""[^"]*)*)"'
BETWEEN_BLANKS = re.compile(QUOTED + rb"(?=[ \t]|$)|([^ \t]+)")
"""A cell among others that blanks separate."""
QUOTED_CELLS = {
    separator: re.compile(
        rb"[%b]*" % BLANKS.replace(separator, b"")
        + QUOTED
        + rb"[%b]*(?=%b|$)" % (BLANKS.replace(separator, b""), re.escape(separator))
    )
    for separator in NAMES
}
"""A cell in quotes, and the blanks around them, by the separator behind it."""
WIDE = 1 << 20
"""Bytes from which a line is looked at by its ends alone."""
CLIP = 1 << 15
"""Bytes of such a line that are looked at, at either end."""
ENDS = 96
"""Bytes at either end of a line that hold its first and last cells."""
LETTER = re.compile(rb"[A-Za-z\x80-\xff]")


@dataclass(frozen=True)
class Dialect:
    """How a line becomes cells."""

    separator: bytes = b","
    """One character; `BLANK` is any run of blanks."""
    decimal_comma: bool = False
    trailing: int = 0
    """Separators behind the last cell of every line, as empty columns of a sheet leave them."""
    multiline: bool = False
    """Whether quoted cells hold line feeds."""

    def split(self, line: bytes) -> Cells:
        """Return the cells of a line, without quotes and the blanks around them."""
        separator = self.separator
        if b'"' in line:
            cells = _split_quoted(line, separator)
        elif separator == BLANK:
            cells = line.split()
        else:
            cells = [cell.strip(BLANKS) for cell in line.split(separator)]
        for _ in range(self.trailing):
            if len(cells) > 1 and not cells[-1]:
                del cells[-1]
        return cells

    def sampled(self, line: bytes) -> Sequence[bytes]:
        """Return the cells of a line to look at, with decimal points; of a long one its ends."""
        if len(line) > WIDE:
            return Wide(line, self)
        return list(map(self.number, self.split(line)))

    def ends(self, line: bytes) -> Sequence[bytes]:
        """Return the cells of a line with decimal points, of which those in the middle may be
        empty: splitting all of them takes far longer."""
        if len(line) > 4 * ENDS and b'"' not in line:
            return Wide(line, self, ENDS)
        return self.sampled(line)

    def number(self, cell: bytes) -> bytes:
        """Return a cell with a decimal point, if it is a number or several."""
        if not self.decimal_comma or b"," not in cell:
            return cell
        pointed = cell.replace(b",", b".")
        return pointed if is_number(pointed) else cell


class Wide(Sequence[bytes]):
    """The cells of a long line, of which only those at both ends are there; others are empty."""

    def __init__(self, line: bytes, dialect: Dialect, clip: int = CLIP) -> None:
        """Count the cells of a line and take those in `clip` bytes at either end."""
        if dialect.separator == BLANK:
            line = single_blanks(line + b"\n")[:-1]
        self._width = line.count(dialect.separator) + 1 - dialect.trailing
        self.head = list(map(dialect.number, dialect.split(line[:clip])[:-1]))
        self.tail = list(map(dialect.number, dialect.split(line[-clip:])[1:]))

    def __len__(self) -> int:
        return self._width

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Cells: ...
    def __getitem__(self, at: int | slice) -> bytes | Cells:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(self._width))]
        at += self._width if at < 0 else 0
        if at < len(self.head):
            return self.head[at]
        behind = at - (self._width - len(self.tail))
        if not 0 <= at < self._width:
            raise IndexError(at)
        return self.tail[behind] if behind >= 0 else b""


def single_blanks(text: bytes) -> bytes:
    """Make one blank of every run of blanks and tabs in lines, and none of those at their ends."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text.replace(b" \n", b"\n").replace(b"\n ", b"\n").removeprefix(b" ")


def _split_quoted(line: bytes, separator: bytes) -> Cells:
    """Split where no quote is open; a quote that does not close stays in its cell."""
    if separator == BLANK:
        found = BETWEEN_BLANKS.findall(line)
        return [_bare(quoted) if quoted else plain for quoted, plain in found]
    cells, place = [], 0
    while True:
        quoted = QUOTED_CELLS[separator].match(line, place)
        if quoted is not None:
            cells.append(_bare(quoted[1]))
            place = quoted.end()
        else:
            end = line.find(separator, place)
            end = len(line) if end < 0 else end
            cells.append(line[place:end].strip(BLANKS))
            place = end
        if place >= len(line):
            return cells
        place += 1


def _bare(quoted: bytes) -> bytes:
    """Return what is between quotes."""
    return quoted.replace(b'""', b'"').strip(BLANKS)


def find_dialect(lines: Sequence[bytes]) -> Dialect:
    """Recognise the dialect of the first lines of a table, its comments left out.

    The candidate wins whose lines have the same number of cells and whose cells are numbers, lists
    of numbers or words; single errors among them do not count.
    """
    lines = [line for line in lines if line.strip(BLANKS)]
    odd = [number for number, line in enumerate(lines) if line.count(b'"') % 2]
    multiline = len(odd) > 1 and odd[0] < 2
    if multiline:
        lines = joined_rows(lines)
    lines = lines[: LOOKED_AT + 1]  # the first may be a header
    rows = [line[:CLIP] if len(line) > WIDE else line for line in lines[1:] or lines]
    best, most = Dialect(multiline=multiline), 0.0
    for separator, decimal_comma in CANDIDATES:
        if decimal_comma and _is_label_before_list(rows, separator):
            continue
        dialect = Dialect(separator, decimal_comma, multiline=multiline)
        score = _score(dialect, rows)
        if score > most + 0.01:
            best, most = dialect, score
    trailing = 0
    if best.separator != BLANK:
        ends = [
            line.translate(None, BLANKS.replace(best.separator, b"")) for line in lines[1:] or lines
        ]
        trailing = min(len(line) - len(line.rstrip(best.separator)) for line in ends)
    decimal_comma = best.decimal_comma or (most > 0 and _have_decimal_commas(best, rows))
    return Dialect(best.separator, decimal_comma, trailing, multiline)


def _is_label_before_list(lines: Sequence[bytes], separator: bytes) -> bool:
    """Tell whether the only comma of each line stands before all separators, as in `3,0;0;128`: it
    ends a label, and the values of the image are in the cell behind it."""
    return len(lines) > 1 and all(
        line.count(b",") == 1 and line.index(b",") < line.find(separator) for line in lines
    )


def _have_decimal_commas(dialect: Dialect, lines: Sequence[bytes]) -> bool:
    """Tell whether all cells with a comma are numbers. The ends of a row, by which a dialect is
    chosen, are the edge of an image, where all may be 0."""
    if dialect.separator == b"," or _is_label_before_list(lines, dialect.separator):
        return False
    cells = [cell for line in lines if b"," in line for cell in dialect.split(line) if b"," in cell]
    return all(NUMBER.fullmatch(cell.replace(b",", b".")) for cell in cells) and not all(
        THOUSANDS.fullmatch(cell) for cell in cells
    )


def joined_rows(lines: Sequence[bytes]) -> list[bytes]:
    """Join lines that end inside quotes with those behind them."""
    joined: list[bytes] = []
    is_open = False
    for line in lines:
        if is_open:
            joined[-1] += INNER + line
        else:
            joined.append(line)
        is_open ^= bool(line.count(b'"') % 2)
    return joined[:-1] if is_open and len(joined) > 1 else joined


def _score(dialect: Dialect, lines: Sequence[bytes]) -> float:
    """Tell how well a dialect fits, from 0 to 1."""
    rows = [dialect.split(line) for line in lines]
    count, often = Counter(map(len, rows)).most_common(1)[0]
    if count < 2:
        return 0.0
    good = total = numbers = 0
    for row in rows:
        some = [dialect.number(cell) for cell in looked_at(row)]
        are_numbers = sum(map(is_number, some))
        numbers += are_numbers
        good += are_numbers + sum(has_letter(cell[:64]) for cell in some)
        total += len(some)
    if dialect.separator == BLANK and 2 * numbers < total:
        return 0.0  # words with blanks between them are a sentence, or one label
    return often / len(rows) * good / total


def looked_at(cells: Cells) -> Cells:
    """Return the first and the last cells of a row, all of them if it is short."""
    if len(cells) <= LOOKED_AT_CELLS:
        return cells
    return cells[: LOOKED_AT_CELLS // 2] + cells[-LOOKED_AT_CELLS // 2 :]


def is_number(cell: bytes) -> bool:
    """Tell whether a cell is a number in some form, nothing (a missing one), or a list of them."""
    return not cell or NUMBER.fullmatch(cell) is not None or is_list(cell)


def is_list(cell: bytes) -> bool:
    """Tell whether a cell holds several numbers."""
    return len(cell) > 6 and LIST.fullmatch(cell) is not None


def has_letter(cell: bytes) -> bool:
    """Tell whether there is a letter in a cell, in any encoding that keeps those of ASCII."""
    return LETTER.search(cell) is not None


def cut_first(line: bytes, separator: bytes) -> tuple[bytes, bytes]:
    """Return the first cell of a line, without quotes, and what is behind its separator."""
    quoted = QUOTED_CELLS[separator].match(line)
    if quoted is not None and quoted.end() < len(line):
        return _bare(quoted[1]), line[quoted.end() + 1 :]
    cell, _, rest = line.partition(separator)
    return cell, rest


def cut_last(line: bytes, separator: bytes) -> tuple[bytes, bytes]:
    """Return the last cell of a line, without quotes, and what is before its separator."""
    bare = line.rstrip(BLANKS)
    start = bare.rfind(b'"', 0, -1) if bare.endswith(b'"') else -1
    while start > 0 and bare[start - 1] == ord('"'):  # doubled, it is part of the text
        start = bare.rfind(b'"', 0, start - 1)
    before = bare[:start] if separator in BLANKS else bare[:start].rstrip(BLANKS)
    if start > 0 and before.endswith(separator):
        return _bare(bare[start + 1 : -1]), before[:-1]
    rest, _, cell = line.rpartition(separator)
    return cell, rest
