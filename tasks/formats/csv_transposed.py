"""Tables that stand on end: a column per image, a row per pixel."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tasks.formats.compression import described
from tasks.formats.csv_columns import INDEXES
from tasks.formats.csv_evidence import are_words, counts, is_word
from tasks.formats.csv_layout import Columns
from tasks.formats.csv_table import Table
from tasks.formats.csv_values import Form, Rows, form_of
from tasks.formats.image_file import ImageFile, Part
from tasks.formats.pixel_names import PIXEL

BYTES = 1 << 27
"""Memory for images that are gathered from all rows at a time; for more the file is read again."""
Parsed = Callable[[Form], Iterator[Rows]]


def is_transposed(table: Table, wanted: str) -> bool:
    """Tell whether rows are pixels: as set, or because the first cells of the rows name pixels."""
    if wanted != "auto":
        return wanted == "pixels"
    names = [row[0] for row in table.rows]
    return len(names) > 3 and all(
        is_word(name) and PIXEL.fullmatch(name.decode("latin-1").lower()) for name in names
    )


def transposed(table: Table, parsed: Parsed) -> ImageFile:
    """Open a table with a column per image; `parsed` yields its rows."""
    beside = int(table.width > 1 and _has_row_names(table))
    form = form_of(table, Columns(table.width - beside, lead=beside))
    images = form.columns.width
    width = sum(1 for _ in table.lines())
    why = f"a column per image: {width:,} rows, {images:,} columns"
    decisions = [("transposed", why, "--reading.rows images")]
    if beside:
        decisions.append(("column 1 left out", "it names the rows", "--reading.index no"))
    return ImageFile(
        form=described(", ".join(("CSV", "transposed", *table.described)), table.path),
        width=width,
        shape=None,
        parts=partial(_parts, form, width, parsed),
        count=images,
        decisions=(*table.decisions, *decisions),
        place=partial(_place, form),
    )


def _has_row_names(table: Table) -> bool:
    named = table.header.names is not None and table.header.names[0].strip().lower() in INDEXES
    return named or are_words(table, 0) or counts(table, 0)


def _parts(form: Form, width: int, parsed: Parsed, size: int) -> Iterator[Part]:
    images = form.columns.width
    group = max(1, BYTES // (8 * width))
    for start in range(0, images, group):
        pixels = _gathered(form, width, parsed, slice(start, min(start + group, images)))
        for first in range(0, len(pixels), size):
            yield Part(pixels[first : first + size], None)


def _gathered(form: Form, width: int, parsed: Parsed, columns: slice) -> NDArray[np.float64]:
    """Return some columns, (columns, width): uint8 if all are bytes, else float64."""
    found = np.empty((columns.stop - columns.start, width), np.float64)
    row, whole = 0, True
    for rows in parsed(form):
        count = len(rows.pixels)
        found[:, row : row + count] = rows.pixels[:, columns].T
        row, whole = row + count, whole and rows.pixels.dtype == np.uint8
    return found.astype(np.uint8) if whole else found


def _place(form: Form, image: int, value: int) -> str:
    row, _ = next(itertools.islice(form.table.lines(), value, None))
    return f"row {row}, column {form.columns.lead + image + 1}"
