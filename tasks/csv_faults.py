"""What is wrong with a CSV file, said so that its owner can mend it.

The fast reader only says that something is wrong. When it does, the file is read again here, value
by value, up to the first fault. Rows and columns count from 1, a header line included.
"""

import csv
import gzip
import io
import itertools
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from autoencoders.errors import PipelineError

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
READ_ERRORS = (OSError, EOFError, zlib.error, csv.Error)
"""What reading a damaged, vanished or oddly written file raises."""
SHOWN = 30
"""Characters of a wrong value that a message repeats."""


class DataError(PipelineError):
    """The user's files are not what they should be."""


def opened(path: Path) -> BinaryIO:
    """Open a file for reading, through gzip if its content, not its name, says so."""
    return cast("BinaryIO", gzip.open(path, "rb")) if is_gzipped(path) else path.open("rb")


def is_gzipped(path: Path) -> bool:
    """Tell by the first bytes whether a file is compressed."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def header_rows(path: Path) -> int:
    """Return 1 if the first line is a header, else 0.

    A header is a line of names, without a single number, or the column numbers 0, 1, 2, … (or 1,
    2, 3, …) that pandas writes, where they cannot be pixels since they pass 255.

    Raises:
        DataError: If the file is empty, cannot be decompressed, is a web page, or begins with
            column numbers that could be an image.
    """
    try:
        with opened(path) as file:
            beginning = file.readline(1 << 24).removeprefix(BYTE_ORDER_MARK)
        cells = [cell.strip() for cell in next(csv.reader([beginning.decode("latin-1")]), [])]
    except READ_ERRORS as error:
        raise _unreadable(path, error) from error
    if not beginning:
        raise DataError(f"{path}, row 1, column 1: the file is empty. Expected one row an image.")
    if beginning.lstrip()[:1] == b"<":
        raise DataError(
            f"{path}, row 1, column 1: this is a web page, not a CSV file: it begins with "
            f"{_quoted(beginning.decode('latin-1'))}. Download the file itself."
        )
    if not any(map(_is_number, cells)) and any(letter.isalpha() for letter in "".join(cells)):
        return 1
    numbered = [[str(index + first) for index in range(len(cells))] for first in (0, 1)]
    if len(cells) < 2 or cells not in numbered:
        return 0
    if int(cells[-1]) > 255:
        return 1
    raise DataError(
        f"{path}, row 1, column 1: the row counts from {cells[0]} to {cells[-1]}. Is it an image, "
        "or the column numbers that pandas writes above them? Write the file without a header "
        "(to_csv(header=False, index=False)), the labels too; if it is an image, put another one "
        "first."
    )


def count_fault(data: Path, labels: Path, images: int, count: int) -> DataError:
    """Say that there are not as many `images` in `data` as there are labels (`count`)."""
    longer, what = (labels, "label") if count > images else (data, "image")
    row, _ = next(itertools.islice(_rows(longer), min(images, count), None))
    hint = ""
    if count == images + 1 and next(_rows(labels))[1] == ["0"]:
        hint = (" If the 0 in its first row is a header (pandas writes one above a column without "
                "a name), write the labels with to_csv(header=False, index=False).")  # fmt: skip
    return DataError(
        f"{longer}, row {row}, column 1: one {what} too many. {data.name} has {images:,} images "
        f"and {labels.name} has {count:,} labels; expected as many, in the same order. Remove "
        f"what is too much or add what is missing.{hint}"
    )


def fault(path: Path, width: int, largest: int, error: Exception) -> DataError:
    """Find the first fault of a file that the fast reader refused with `error`.

    Args:
        path: The CSV file.
        width: How many values a row must have.
        largest: The largest whole number a value may be; the smallest is 0.
        error: Why the fast reader gave up; told only if every value looks right here.
    """
    try:
        for row, cells in _rows(path):
            if len(cells) != width:
                return DataError(f"{path}, row {row}, {_width_fault(row, cells, width)}")
            for column, cell in enumerate(cells, start=1):
                if not _is_whole(cell, largest):
                    place = f"{path}, row {row}, column {column}"
                    return DataError(f"{place}: {_value_fault(cell, largest)}")
    except READ_ERRORS as damage:
        return _unreadable(path, damage)
    again = "decompressed" if is_gzipped(path) else "values separated by commas, one row a line"
    return DataError(f"{path}: cannot be read as CSV: {error}. Write it again, {again}.")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row that has content, and its values."""
    skipped = header_rows(path)
    with opened(path) as file, io.TextIOWrapper(file, encoding="latin-1", newline="") as text:
        if text.read(3).encode("latin-1") != BYTE_ORDER_MARK:
            text.seek(0)
        reader = csv.reader(text)
        for cells in reader:
            if reader.line_num > skipped and cells:
                yield reader.line_num, [cell.strip(" \t") for cell in cells]


def _width_fault(row: int, cells: list[str], width: int) -> str:
    count = len(cells)
    if count < width:
        place = f"column {count + 1}: the row ends after {count:,} of {width:,} values."
    else:
        place = f"column {width + 1}: the row has {count:,} values, expected {width:,}."
    if count == 1 and ";" in cells[0]:
        return place + " The values are separated by semicolons; write them with commas."
    side = math.isqrt(count)
    if row <= 2 and side * side == count and side % 4 == 0:
        return place + (
            f" If the images are {side} x {side}, say so: --image.height {side} "
            f"--image.width {side}. Train and test images must have the same form."
        )
    if row <= 2 and count == width + 1:
        return place + (
            " A column too many is often a row number or the label: write the images alone "
            "(in pandas, to_csv(index=False))."
        )
    return place + (
        " Every row holds height x width x channels values, the same in train and test. "
        "Correct the row, or set --image.height, --image.width and --image.channels."
    )


def _value_fault(cell: str, largest: int) -> str:
    expected = f"expected a whole number from 0 to {largest:,}, got "
    if not cell:
        return expected + "nothing. Fill the value in or remove the row."
    if _is_number(cell) and "." in cell:
        return expected + (
            f"{_quoted(cell)}. Write the values as they are in the image file, as whole numbers, "
            "not scaled (in pandas, astype('uint8') before to_csv)."
        )
    return expected + f"{_quoted(cell)}. Correct the value or remove the row (and its label)."


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, csv.Error):
        return DataError(
            f"{path}: not CSV as we know it ({error}). Write it again with one row a line, line "
            "ends LF or CRLF, values separated by commas."
        )
    return DataError(f"{path}: cannot be read to its end ({error}). The file is damaged or was "
                     "not copied whole; copy it again.")  # fmt: skip


def _is_whole(cell: str, largest: int) -> bool:
    """Tell whether this is a whole number from 0 to `largest`, however many zeros lead it."""
    digits = cell.lstrip("0") or cell[-1:]
    return (
        cell.isascii() and cell.isdigit()
        and len(digits) <= len(str(largest)) and int(digits) <= largest
    )  # fmt: skip


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
