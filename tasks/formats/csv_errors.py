"""What is wrong with a CSV file, in words that help its owner to fix it.

The fast reader only says that something is wrong. When it does, the file is read again here, row
by row, up to the first error. Rows are lines; they and the columns count from 1, a header and
empty lines included.
"""

import csv
import gzip
import itertools
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from autoencoders.images.byte_text import parse_bytes
from tasks.formats.errors import DataError

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
READ_ERRORS = (OSError, EOFError, zlib.error)
"""What reading a damaged or vanished file raises."""
LONGEST_QUOTE = 30
"""Characters of a wrong value that a message quotes."""
LONGEST = 1 << 24
"""Characters of a line, at least, that are read in search of its end."""
FOREIGN = {
    b"\xff\xfe": "UTF-16 text. Save it as UTF-8.",
    b"\xfe\xff": "UTF-16 text. Save it as UTF-8.",
    b"PK\x03\x04": "a zip archive or an Excel workbook. Take the CSV file out of it.",
    b"BZh": "a file compressed with bzip2. Decompress it (bunzip2).",
    b"\xfd7zXZ": "a file compressed with xz. Decompress it (unxz).",
    b"\x28\xb5\x2f\xfd": "a file compressed with zstd. Decompress it (unzstd).",
    GZIP: "a file compressed with gzip twice. Decompress it once (gunzip).",
}
"""What a file is instead of CSV, by its first bytes, and what to do."""
BLANKS = b" \t"
CELLS = re.compile(rb"(?:^|,)([^,]*)")
SEPARATORS = {b";": "semicolons", b"\t": "tabs", b" ": "spaces"}


def opened(path: Path) -> BinaryIO:
    """Open a file for reading, through gzip if its content, not its name, says so."""
    return cast("BinaryIO", gzip.open(path, "rb")) if is_gzipped(path) else path.open("rb")


def is_gzipped(path: Path) -> bool:
    """Return whether a file is compressed, by its first bytes."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def header_rows(path: Path) -> int:
    """Return 1 if the first line is a header, else 0.

    A header is a line of names, without a single number, or the column numbers 0, 1, 2, … (or 1,
    2, 3, …) that pandas writes, where they cannot be pixels since they pass 255.

    Raises:
        DataError: If the file is empty, cannot be decompressed, is no text, or begins with column
            numbers that could be an image.
    """
    try:
        with opened(path) as file:
            beginning = file.readline(LONGEST).removeprefix(BYTE_ORDER_MARK)
    except READ_ERRORS as error:
        raise _unreadable(path, error) from error
    if foreign := _foreign(beginning):
        raise DataError(f"{path}, row 1, column 1: {foreign}")
    return int(_has_names(beginning) or _has_column_numbers(path, beginning))


def _foreign(beginning: bytes) -> str:
    """Say what a file that begins so is, if it cannot be CSV; nothing if it can."""
    if not beginning:
        return "the file is empty. Expected one row per image."
    if beginning.lstrip()[:1] == b"<":
        return (
            "this is a web page, not a CSV file: it begins with "
            f"{_quoted(beginning)}. Download the file itself."
        )
    found = [what for magic, what in FOREIGN.items() if beginning.startswith(magic)]
    return f"expected CSV, got {found[0]}" if found else ""


def _has_names(line: bytes) -> bool:
    letters = line.translate(None, b'0123456789,." \t\r\n').decode("latin-1")
    if not any(map(str.isalpha, letters)):
        return False  # before a list is made of a million pixels
    try:
        return not any(map(_is_number, next(csv.reader([line.decode("latin-1")]))))
    except csv.Error:
        return False


def _has_column_numbers(path: Path, line: bytes) -> bool:
    # The first 257 of them pass 255, so that the others need not be looked at
    cells = [_bare(cell.strip()) for cell in line.split(b",", 257)[:257]]
    numbered = [[b"%d" % (index + first) for index in range(len(cells))] for first in (0, 1)]
    if len(cells) < 2 or cells not in numbered:
        return False
    if int(cells[-1]) > 255:
        return True
    raise DataError(
        f"{path}, row 1, column 1: the row counts from {int(cells[0])} to {int(cells[-1])}. Is it "
        "an image, or the column numbers that pandas writes above them? Write the file without a "
        "header (to_csv(header=False, index=False)), the labels too; if it is an image, put "
        "another one first."
    )


def count_error(data: Path, labels: Path, images: int, count: int) -> DataError:
    """Return an error that says that `data` has other than `count` images, one per label."""
    longer, what = (labels, "label") if count > images else (data, "image")
    row, _ = next(itertools.islice(_rows(longer), min(images, count), None))
    hint = ""
    if count == images + 1 and next(_rows(labels))[1] == b"0":
        hint = (" If the 0 in its first row is a header (pandas writes one above a column without "
                "a name), write the labels with to_csv(header=False, index=False).")  # fmt: skip
    return DataError(
        f"{longer}, row {row}, column 1: one {what} too many. {data.name} has {images:,} images "
        f"and {labels.name} has {count:,} labels; expected the same number, in the same order. "
        f"Remove the extra rows or add the missing ones.{hint}"
    )


def longest_line(width: int) -> int:
    """Return how many characters a line of `width` values may have: 64 per value is ample."""
    return max(LONGEST, 64 * width)


def first_error(path: Path, width: int, largest: int, error: Exception) -> DataError:
    """Find the first error in a file that the fast reader refused with `error`.

    Args:
        path: The CSV file.
        width: How many values a row must have.
        largest: The largest whole number a value may be; the smallest is 0.
        error: Why the fast reader gave up; shown only if every value looks right here.
    """
    try:
        for row, line in _rows(path, longest_line(width) + 1):
            if width > 1 and parse_bytes(line + b"\n", width) is not None:
                continue  # nearly all rows: ten times as fast as value by value
            if found := _row_error(row, line, width, largest):
                return DataError(f"{path}, row {row}, {found}")
    except READ_ERRORS as damage:
        return _unreadable(path, damage)
    again = "decompressed (gunzip)" if is_gzipped(path) else "and leave it alone while it is read"
    return DataError(f"{path}: cannot be read ({error}). Write it again, {again}.")


def _rows(path: Path, longest: int = -1) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each row that is not empty, and its text without the line end.

    A row of more than `longest` characters is cut there; the numbers of those behind it are wrong.
    """
    skipped = header_rows(path)
    with opened(path) as file:
        if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
            file.seek(0)
        lines = iter(lambda: file.readline(longest), b"")
        for row, line in enumerate(lines, start=1):
            text = line.removesuffix(b"\n").removesuffix(b"\r")
            if row > skipped and text:
                yield row, text


def _row_error(row: int, line: bytes, width: int, largest: int) -> str:
    """Return the column and what is wrong there; nothing if all is right."""
    before, returned, _ = line.partition(b"\r")
    if returned:
        return (
            f"column {before.count(b',') + 1}: a carriage return without a line feed behind it. "
            "Write the file again with the line ends LF or CRLF, one row per line."
        )
    if len(line) > longest_line(width):
        return (
            f"column 1: the row does not end within {len(line):,} characters. Expected CSV: "
            f"{width:,} values separated by commas, then a line end."
        )
    if not line.strip(BLANKS):
        return "column 1: there are only blanks. Remove the row, or fill its values in."
    if line.count(b",") != width - 1:
        return _width_error(row, line, width)
    for column, cell in enumerate(CELLS.finditer(line), start=1):
        if not _is_whole(value := _bare(cell[1]), largest):
            return f"column {column}: {_value_error(value, largest)}"
    return ""


def _width_error(row: int, line: bytes, width: int) -> str:
    count = line.count(b",") + 1
    if count < width:
        place = f"column {count + 1}: the row ends after {count:,} of {width:,} values."
    else:
        place = f"column {width + 1}: the row has {count:,} values, expected {width:,}."
    for separator, name in SEPARATORS.items():
        if count == 1 and separator in line.strip(BLANKS):
            return place + f" The values are separated by {name}; write them with commas."
    if count == width + 1 and not line.rpartition(b",")[2].strip(BLANKS):
        return place + " The last one is empty: remove the comma at the end of every row."
    if width == 1:
        return place + " Write the labels alone, one per row (in pandas, to_csv(index=False))."
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


def _value_error(cell: bytes, largest: int) -> str:
    expected = f"expected a whole number from 0 to {largest:,}, got "
    if not cell:
        return expected + "nothing. Fill the value in or remove the row."
    expected += f"{_quoted(cell)}. "
    if not (_is_number(cell) and re.search(rb"[.eE]", cell)):
        return expected + "Correct the value or remove the row (and its label)."
    pixels = largest == 255
    if pixels and 0 <= float(cell) <= 1:
        return expected + (
            "Write the values as they are in the image file, as whole numbers, not scaled (if they "
            "are, multiply them by 255 and round)."
        )
    kind = "uint8" if pixels else "int64"
    return expected + (
        'Write plain whole numbers (in NumPy, savetxt(..., fmt="%d"); in pandas, '
        f'astype("{kind}") before to_csv).'
    )


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: cannot be read to its end ({error}). The file is damaged or was "
                     "not copied whole; copy it again.")  # fmt: skip


def _bare(cell: bytes) -> bytes:
    """Take away the blanks around a value, and its quotes with the blanks inside."""
    cell = cell.strip(BLANKS)
    if len(cell) > 1 and cell[:1] == cell[-1:] == b'"':
        return cell[1:-1].strip(BLANKS)
    return cell


def _is_whole(cell: bytes, largest: int) -> bool:
    """Tell whether this is a whole number from 0 to `largest`, however many zeros lead it."""
    digits = cell.lstrip(b"0") or cell[-1:]
    return cell.isdigit() and len(digits) <= len(str(largest)) and int(digits) <= largest


def _is_number(cell: str | bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _quoted(text: bytes) -> str:
    characters = text.decode(errors="replace")
    return repr(
        characters if len(characters) <= LONGEST_QUOTE else characters[:LONGEST_QUOTE] + "…"
    )
