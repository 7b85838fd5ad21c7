"""Lines of numbers in any dialect as lines of plain ones, and those as arrays."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from tasks.formats.csv_dialect import Dialect


def plain_lines(text: bytes, dialect: Dialect) -> bytes | None:
    """Turn lines of numbers into lines with commas, points, no quotes and no blanks, where each of
    these stands where it may; None if one stands where it may not."""
    separator = dialect.separator
    if separator != b",":
        if (b"." if dialect.decimal_comma else b",") in text:
            return None
        text = text.translate(bytes.maketrans(b"," + separator, b".,"))
    if b" " in text or b"\t" in text:
        text = text.replace(b"\t", b" ")
        while b"  " in text:
            text = text.replace(b"  ", b" ")
        for beside in (b",", b"\n"):
            text = text.replace(b" " + beside, beside).replace(beside + b" ", beside)
        text = text.removeprefix(b" ")
    return _unquoted(text) if b'"' in text else text


def _unquoted(text: bytes) -> bytes:
    """Take away quotes where every number of every line is in quotes."""
    cells, lines = text.count(b",") + text.count(b"\n"), text.count(b"\n")
    between, ends = text.count(b'","'), text.count(b'"\n"')
    if not (
        text[:1] == b'"' and text[-2:] == b'"\n' and text.count(b'"') == 2 * cells
        and between == cells - lines and ends == lines - 1
    ):  # fmt: skip
        return text
    text = text.translate(None, b'"')
    return text if b" " not in text else text.replace(b" ,", b",").replace(b", ", b",")


def floats(text: bytes, width: int) -> NDArray[np.float64] | None:
    """Read lines of numbers with Arrow, as one column: one of each pixel takes twice the time."""
    characters = np.frombuffer(text, np.uint8)
    commas, ends = characters == ord(","), np.flatnonzero(characters == ord("\n"))
    rows = np.split(commas, ends)[:-1]
    if any(np.count_nonzero(row) != width - 1 for row in rows):
        return None
    try:
        table = csv.read_csv(
            pa.BufferReader(text.replace(b",", b"\n")),
            csv.ReadOptions(use_threads=False, column_names=["v"], block_size=len(text) + 1),
            csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types={"v": pa.float64()}, null_values=[]),
        )
    except pa.ArrowInvalid:
        return None
    # Arrow's own way to NumPy looks for pandas, and loading that takes longer than most files
    chunks = [np.frombuffer(chunk.buffers()[1], np.float64)[chunk.offset :][: len(chunk)]
              for chunk in table.column(0).chunks]  # fmt: skip
    values = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
    if len(values) != len(rows) * width or not np.isfinite(values).all():
        return None
    return values.reshape(-1, width)
