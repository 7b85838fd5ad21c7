"""A table of text, opened: its dialect, its header, and the rows at its beginning."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.formats.csv_dialect import (
    BLANKS,
    NAMES,
    Cells,
    Dialect,
    Wide,
    find_dialect,
    has_letter,
    joined_rows,
)
from tasks.formats.csv_header import NONE, Header, find_header, is_disguised, is_grid
from tasks.formats.csv_text import BLOCK, INNER, Block, read_blocks, read_sample
from tasks.formats.errors import DataError

COMMENT = re.compile(rb"[ \t]*(?:[#%].*|sep=.|\"?sep=.\"?)?")
"""Lines that may stand on top of a table, empty ones and Excel's `sep=;` included."""

MOST_ROWS = 3000
"""Lines of the sample that become rows; where they are short, these are enough."""


@dataclass(frozen=True)
class Table:
    """What is known of a table before it is read."""

    path: Path
    dialect: Dialect
    header: Header
    skipped: int
    """Lines above the first row: comments, empty lines, the header."""
    width: int
    """Cells per row: the number that most of the first rows have."""
    rows: list[Sequence[bytes]]
    """The first rows that have so many, at least one; numbers with a decimal point."""
    whole: bool
    """Whether these are all the rows there are."""
    longest: int
    """Bytes that a line may have."""

    def blocks(self, size: int = BLOCK) -> Iterator[Block]:
        """Yield all rows, in blocks of lines; an image that was made a header comes first."""
        if self.header.image is not None:
            line = self.dialect.separator.join(self.header.image)
            yield Block(self.skipped, line + b"\n")
        yield from read_blocks(
            self.path, self.longest, skipped=self.skipped, multiline=self.dialect.multiline,
            size=size,
        )  # fmt: skip

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the text of every row that is not empty."""
        for block in self.blocks():
            yield from numbered(block)

    def cells_of(self, column: int) -> list[bytes]:
        """Return the cells of a column at either end; empty where a row is too short for it."""
        rows = (self.dialect.ends(line) for _, line in self.lines())
        return [row[column] if column < len(row) else b"" for row in rows]

    @property
    def described(self) -> list[str]:
        """What is special about its form, in words."""
        found = []
        if self.width > 1 and self.dialect.separator != b",":
            found.append(NAMES[self.dialect.separator])
        if self.dialect.decimal_comma:
            found.append("decimal commas")
        if self.header.names is not None:
            found.append("header line")
        return found

    @property
    def decisions(self) -> list[tuple[str, str, str]]:
        """What was decided of the form: what, why, and the option that decides otherwise."""
        found = []
        if self.width > 1 and self.dialect.separator != b",":
            what = f"{NAMES[self.dialect.separator]} between values"
            found.append((what, "so the first rows are plain numbers in equal count", ""))
        if self.dialect.decimal_comma:
            found.append(("decimal commas", "so all cells of the first rows are numbers", ""))
        if self.header.why:
            what, _, why = self.header.why.partition(": ")
            found.append((what, why, self.header.option))
        return found


def numbered(block: Block) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the text of each line of a block that is not empty."""
    row = block.row
    for line in block.text.removesuffix(b"\n").split(b"\n"):
        if line.strip(BLANKS):
            yield row, line
        row += 1 + line.count(INNER)


def open_table(path: Path, header: str, longest: int) -> Table:
    """Recognise the form of a table by its first lines.

    Args:
        path: The file, compressed or not.
        header: Whether it has a header: auto, yes or no.
        longest: Bytes that a line may have.

    Raises:
        DataError: If it has no rows, or is no text.
    """
    lines, whole = read_sample(path, longest)
    if not any(line.strip(BLANKS) for line in lines):
        raise DataError(f"{path}, row 1, column 1: the file is empty.", "Write one image per row.")
    _check_text(path, lines)
    skipped = next((at for at, line in enumerate(lines) if not COMMENT.fullmatch(line)), len(lines))
    data = lines[skipped:]
    dialect = find_dialect(data) if data else Dialect()
    if dialect.multiline:
        data = joined_rows(data)
    filled = [line for line in data[:MOST_ROWS] if line.strip(BLANKS)]
    cells = [dialect.sampled(line) for line in filled]
    found = _header(path, skipped + 1, cells, header) if cells else NONE
    is_header = found.names is not None or found.image is not None
    rows = ([found.image] if found.image else []) + cells[is_header:]
    if not rows:
        raise _no_rows(path, skipped, len(lines), found)
    skipped += is_header * (1 + filled[0].count(INNER))
    width = Counter(map(len, rows)).most_common(1)[0][0]
    rows = [row for row in rows if len(row) == width]
    return Table(
        path, dialect, found, skipped, width, rows, whole and len(data) <= MOST_ROWS, longest
    )


def _header(path: Path, row: int, cells: list[Sequence[bytes]], wanted: str) -> Header:
    wide = isinstance(cells[0], Wide)
    first, *below = [row.head if isinstance(row, Wide) else list(row) for row in cells[:2]]
    found = find_header(first, below[0][: len(first) if wide else None] if below else None, wanted)
    if wide:
        return found._replace(image=None, names=None if found.names is None else ())
    plain = found.names is None and found.image is None
    if plain and wanted == "auto" and is_disguised(first):
        shown = ", ".join(cell.decode("latin-1") for cell in first[:4])
        raise DataError(
            f"{path}, row {row}, column 1: an image was taken for column names ({shown}, …): its "
            "repeated values were given numeric suffixes, and it is unclear which.",
            "Write the file again from the original, read with read_csv(header=None) and written "
            "with to_csv(header=False, index=False); or leave this image out with "
            "--reading.header yes, and its label.",
        )
    if wanted != "no" and not wide and len(cells) > 2 and len({*map(len, cells[:3])}) == 1:
        _refuse_second(path, row, found, list(map(list, cells[:3])))
    return found


def _refuse_second(path: Path, row: int, header: Header, cells: list[Cells]) -> None:
    """Refuse a second line of names, which would be an image: as pandas writes columns of several
    levels, or with the unit of each column."""
    below = find_header(cells[1], cells[2], "auto").names is not None
    if header.names is not None:
        second, what, advice, row = below, "a second header line", "Remove one of them.", row + 1
    elif below and all(map(has_letter, cells[0])):
        second, what, advice = True, "two header lines", "Remove one of them."
    else:
        second = header.image is None and is_grid(*cells[:2])
        what = "this line and the next number the rows and columns of an image"
        advice = "Remove both."
    if second:
        raise DataError(
            f"{path}, row {row}: {what}. Expected at most one line above the images.", advice
        )


def _check_text(path: Path, lines: list[bytes]) -> None:
    for row, line in enumerate(lines, start=1):
        if b"\0" in line:
            raise zeros_error(path, row, line)


def zeros_error(path: Path, row: int, line: bytes) -> DataError:
    """Return the error of a line with zero bytes."""
    place = f"{path}, row {row}, byte {line.index(0) + 1} of the row"
    if not line.strip(b"\0"):
        return DataError(
            f"{place}: there are only zero bytes from here on. The file was not written or copied "
            "to its end.",
            "Copy it again, whole; or remove everything from that row on.",
        )
    return DataError(
        f"{place}: a zero byte. Expected text.",
        "If this is text in UTF-16, save it as UTF-8; if not, copy the file again.",
    )


def _no_rows(path: Path, skipped: int, lines: int, header: Header) -> DataError:
    row = min(skipped + 1, lines) + (header.names is not None)
    place = f"{path}, row {row}, column 1: no values from here on. Expected one row per image."
    advice = "Write the rows below the header." if header.names else "Write them into the file."
    return DataError(place, advice)
