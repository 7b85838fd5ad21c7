"""What is wrong with a row of a table, in words that help its owner to fix it.

Rows are the lines of the file; they and the columns count from 1, a header and empty lines
included.
"""

import math
import re
from pathlib import Path

from tasks.formats.csv_dialect import BLANK, NAMES, NUMBER, THOUSANDS, Cells, Dialect
from tasks.formats.csv_evidence import BOOLS, listed, number_in
from tasks.formats.csv_layout import Columns
from tasks.formats.csv_table import Table, numbered, zeros_error
from tasks.formats.csv_text import INNER, Block
from tasks.formats.errors import DataError

LONGEST_QUOTE = 30
"""Characters of a wrong value that a message quotes."""
DECIMAL_COMMA = re.compile(rb"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
REMOVE = "Correct the value or remove the row, and its label if that is in another file."
NO_LABEL = frozenset({b"", b"nan", b"<na>", b"?"})
"""What programs write for a label that is missing, in small letters."""
LARGEST = 2**53
"""Whole numbers up to this are exact as floats."""


def zeros_in(path: Path, block: Block) -> DataError:
    """Return the error of a block with zero bytes."""
    row, line = next((row, line) for row, line in numbered(block) if b"\0" in line)
    return zeros_error(path, row, line)


def checked_cells(table: Table, row: int, line: bytes) -> Cells:
    """Return the cells of a row.

    Raises:
        DataError: If there are more or fewer than in other rows, or a quote does not close.
    """
    cells = table.dialect.split(line)
    names = table.header.names
    if (
        names is not None
        and len(cells) == len(names) > 1
        and cells == [name.encode() for name in names]
    ):
        raise DataError(
            f"{table.path}, row {row}, column 1: the header again. The file seems to be "
            "several files concatenated.",
            f"Remove row {row}, and every other row that repeats the header.",
        )
    if len(cells) == table.width:
        return cells
    raise _width_error(table, row, line, cells)


def _width_error(table: Table, row: int, line: bytes, cells: Cells) -> DataError:
    count, width = len(cells), table.width
    if count < width:
        place = f"column {count + 1}: the row ends after {count:,} of {width:,} values."
    else:
        place = f"column {width + 1}: the row has {count:,} values, expected {width:,}."
    place = f"{table.path}, row {row}, {place}"
    if (at := _unclosed(cells)) is not None:
        return DataError(
            f"{table.path}, row {row}, column {at + 1}: a quote that is not closed, in "
            f"{quoted(cells[at])}.",
            REMOVE,
        )
    for separator, name in NAMES.items():
        if count == 1 < width == len(Dialect(separator).split(line)):
            return DataError(
                f"{place} Its values are separated by {name}, those of the first rows by "
                f"{NAMES[table.dialect.separator]}.",
                "Write all rows with the same separator.",
            )
    if count in {2 * width - 1, 2 * width}:
        return DataError(
            f"{place} These are two rows without a line break between them, as when files are "
            "joined and the last line of one has none.",
            f"Insert a line break after value {width:,} of row {row}.",
        )
    if count < width and _is_last(table, row):
        return DataError(
            f"{place} It is the last row: the file was cut short.",
            f"Copy or download it again, whole; or remove row {row}, and its label if that is in "
            "another file.",
        )
    return DataError(
        f"{place} The first rows have {width:,}, and every row must have as many.",
        "Correct the row or remove it, and its label if that is in another file.",
    )


def _unclosed(cells: Cells) -> int | None:
    return next((at for at, cell in enumerate(cells) if cell.count(b'"') % 2), None)


def _is_last(table: Table, row: int) -> bool:
    return all(other <= row for other, _ in table.lines())


def checked_values(
    table: Table, columns: Columns, values: str, row: int, cells: Cells
) -> list[float]:
    """Return the pixels in the cells of a row.

    Args:
        table: The table, for messages.
        columns: Which of the cells are pixels.
        values: How numbers are written in this file: hex, bool, or in some other way.
        row: The number of the row, for messages.
        cells: All its cells.

    Raises:
        DataError: For the first that is no number, or not one like the others.
    """
    dialect = table.dialect
    if columns.cell is not None:
        pixels = _listed(table, columns, row, cells[columns.cell])
    else:
        pixels = cells[columns.lead : len(cells) - columns.trail]
    found = []
    for at, cell in enumerate(pixels):
        value = _value(cell, values, dialect.decimal_comma)
        if value is None:
            place = f"{table.path}, row {row}, {column_of(columns, at)}: "
            raise _value_error(place, cell, values, decimal_comma=dialect.decimal_comma)
        found.append(value)
    return found


def column_of(columns: Columns, value: int) -> str:
    """Say in which column a value of an image is; it counts from 0."""
    if columns.cell is not None:
        return f"column {columns.cell + 1}, number {value + 1}"
    return f"column {columns.lead + value + 1}"


def _listed(table: Table, columns: Columns, row: int, cell: bytes) -> Cells:
    """Return the numbers of an image in one cell."""
    numbers = listed(cell.replace(INNER, BLANK))
    place = f"{table.path}, row {row}, column {(columns.cell or 0) + 1}: "
    if b"..." in cell:
        raise DataError(
            f"{place}the image was shortened when it was printed ({quoted(cell)}): most of its "
            "values are not in the file.",
            "Write it again from the original, one value per column; the rest is lost here.",
        )
    if len(numbers) != columns.width:
        raise DataError(
            f"{place}the image has {len(numbers):,} values, that of the first row "
            f"{columns.width:,}. All images must have as many.",
            "Correct the row or remove it, and its label if that is in another file.",
        )
    return numbers


def _value(cell: bytes, values: str, decimal_comma: bool) -> float | None:
    """Return the number in a cell; None if it is none, or of another form."""
    if values == "bool":
        return BOOLS.get(cell.lower())
    if values == "hex":
        return float(int(cell, 16)) if _is_hex(cell) else None
    if decimal_comma:
        cell = b"?" if b"." in cell else cell.replace(b",", b".")
    if not NUMBER.fullmatch(cell) or cell[:2].lower() == b"0x" or cell.lower() in BOOLS:
        return None
    number = float(cell)
    return number if math.isfinite(number) else None


def _is_hex(cell: bytes) -> bool:
    """Tell whether a cell is a hexadecimal number that a float holds exactly."""
    return cell[:2].lower() == b"0x" and len(cell) <= 14 and bool(NUMBER.fullmatch(cell))


def _value_error(place: str, cell: bytes, values: str, *, decimal_comma: bool) -> DataError:
    wanted = {
        "hex": "a hexadecimal number such as 0xff, as in the first row",
        "bool": "True or False, as in the first row",
    }.get(values, "a number with a decimal comma" if decimal_comma else "a number")
    fill = "Fill the value in or remove the row, and its label if that is in another file."
    if not cell:
        return DataError(f"{place}expected {wanted}, got nothing.", fill)
    problem = f"{place}expected {wanted}, got {quoted(cell)}."
    if cell.lower().lstrip(b"+-") in {b"nan", b"na", b"null", b"none", b"n/a", b"?", b"-"}:
        return DataError(f"{problem} That stands for a missing value.", fill)
    question, advice = _question(cell, values)
    return DataError(f"{problem} {question}".rstrip(), advice)


def _question(cell: bytes, values: str) -> tuple[str, str]:
    """Return what a value seems to be, and what to do then."""
    if THOUSANDS.fullmatch(cell):
        return (
            "Is it a number with a thousands separator?",
            f"Write it without: {re.sub(rb'[^0-9]', b'', cell).decode()}.",
        )
    if DECIMAL_COMMA.fullmatch(cell):
        point = cell.replace(b",", b".").decode()
        return (
            "Is it a number with a decimal comma?",
            f"Write it with a point, {point}, and all others like it.",
        )
    if values not in {"hex", "bool"} and _is_hex(cell):
        return "Other values of the file are decimal.", f"Write it as {int(cell, 16)}."
    if len(cell) > 1 and cell[:1] == cell[-1:] == b"'":
        return "It stands in single quotes.", 'Remove them from the file: sed -i "s/\'//g" FILE.'
    if cell.count(b'"') % 2:
        return "Its quote is not closed.", REMOVE
    return "", REMOVE


def whole_label(path: Path, row: int, column: int, cell: bytes) -> int:
    """Return the whole number in a cell of labels, also of the form 7.0; 0 or 1 of False and True.

    Raises:
        DataError: If it is anything else.
    """
    place = f"{path}, row {row}, column {column}: "
    if cell.lower() in NO_LABEL:
        raise missing_label(place, cell)
    if cell.lower() in BOOLS:
        return int(BOOLS[cell.lower()])
    number = _value(cell, "number", decimal_comma=False)
    if number is None or number % 1 or abs(number) > LARGEST:
        raise DataError(
            f"{place}expected a label, a whole number as in the first rows, got {quoted(cell)}.",
            "Correct it, or remove the row and its image.",
        )
    return int(cell.lstrip(b"0") or b"0") if cell.isdigit() else int(number)


def word(path: Path, row: int, column: int, cell: bytes) -> str:
    """Return a label that is text.

    Raises:
        DataError: If there is none.
    """
    if cell.lower() in NO_LABEL:
        raise missing_label(f"{path}, row {row}, column {column}: ", cell)
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell.decode("latin-1")


def missing_label(place: str, cell: bytes) -> DataError:
    """Return the error of a label that is not there."""
    got = quoted(cell) if cell else "nothing"
    return DataError(
        f"{place}expected a label, got {got}: a label is missing here.",
        "Fill it in, or remove this row together with its image.",
    )


def onehot(path: Path, row: int, column: int, cells: Cells) -> int:
    """Return which of some cells is 1 while all others are 0.

    Raises:
        DataError: If that is so of none.
    """
    values = [number_in(cell) for cell in cells]
    ones = [at for at, value in enumerate(values) if value == 1]
    if len(ones) != 1 or values.count(0) != len(cells) - 1:
        raise DataError(
            f"{path}, row {row}, columns {column} to {column + len(cells) - 1}: expected a one-hot "
            f"label, a single 1 among {len(cells) - 1} 0, got {len(ones)} times 1 and "
            f"{values.count(0)} times 0.",
            "Correct the row or remove it.",
        )
    return ones[0]


def row_number(cell: bytes) -> int:
    """Return the number in a cell of row numbers; -1 if it is none."""
    return int(cell) if cell.isdigit() and len(cell) < 19 else -1


def no_row_number(path: Path, row: int, cell: bytes) -> DataError:
    """Return the error of a word among row numbers, as before the sums of all columns."""
    return DataError(
        f"{path}, row {row}, column 1: expected the number of an image, as in the first rows, got "
        f"{quoted(cell)}: this row seems to be no image, but sums or the like.",
        "Remove the row; or if it is an image, write a number there.",
    )


def quoted(text: bytes) -> str:
    """Show a text in quotes, its beginning if it is long."""
    characters = text.decode(errors="replace")
    return repr(
        characters if len(characters) <= LONGEST_QUOTE else characters[:LONGEST_QUOTE] + "…"
    )
