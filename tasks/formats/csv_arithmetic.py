"""Columns without which an image has a plain shape: 785 = 1 + 28 x 28."""

from dataclasses import replace

from autoencoders.images.shape import Sides, find_shape
from tasks.formats import csv_evidence as evidence
from tasks.formats.csv_layout import Columns
from tasks.formats.csv_table import Table
from tasks.formats.errors import DataError


def by_arithmetic(table: Table, columns: Columns, label: str, index: str, image: Sides) -> Columns:
    """Set columns apart without which an image has a plain shape."""
    may_count = columns.lead == 0 and index != "no" and evidence.counts(table, 0)
    if may_count and len(table.rows) >= evidence.ENOUGH:
        # No pixel counts through so many images, whatever shape it would complete
        columns, may_count = _with_index(columns), False
    width = columns.width
    if fits(width, image):
        return columns
    may_label = not columns.labelled and label == "auto"
    if fits(width - 1, image):
        if may_count:
            return _with_index(columns)
        return _with_label(table, columns, image) if may_label else columns
    if fits(width - 2, image) and may_count and may_label:
        return _with_label(table, _with_index(columns), image)
    if may_label:
        return _with_onehot(table, columns, image)
    return columns


def fits(width: int, image: Sides) -> bool:
    """Tell whether so many values have a plain shape."""
    return width > 0 and find_shape(width, image) is not None


def _with_index(columns: Columns) -> Columns:
    decision = (
        "row numbers in column 1",
        "it counts the rows",
        "--reading.index no",
    )
    return replace(columns, width=columns.width - 1, lead=1, index=0,
                   decisions=(*columns.decisions, decision))  # fmt: skip


def _with_label(table: Table, columns: Columns, image: Sides) -> Columns:
    width = columns.width - 1
    ends = columns.lead, columns.lead + width
    side = evidence.label_side(table, *ends)
    shape = find_shape(width, image)
    assert shape is not None
    why = f"{columns.width:,} = 1 + {' x '.join(map(str, shape))}"
    if side is None:
        raise DataError(
            f"{table.path}, row {table.skipped + 1}: {why}, a label and an image, but the label "
            f"may be in column {ends[0] + 1} or in column {ends[1] + 1}: "
            f"{evidence.shown(table, ends[0])} there, {evidence.shown(table, ends[1])} here.",
            "Say which one with --reading.label first or --reading.label last.",
        )
    values = evidence.shown(table, ends[side])
    why += f"; its values are {values}" if "," in values else "; found by reading all rows"
    other = ("last", "first")[side]
    decision = (f"label in column {ends[side] + 1}", why, f"--reading.label {other}")
    return replace(
        columns,
        width=width,
        lead=columns.lead + (side == 0),
        trail=columns.trail + (side == 1),
        label=ends[side],
        decisions=(*columns.decisions, decision),
    )


def _with_onehot(table: Table, columns: Columns, image: Sides) -> Columns:
    if columns.trail:
        return columns
    for classes in evidence.onehot_widths(table, columns.width):
        if fits(columns.width - classes, image):
            width = columns.width - classes
            decision = (
                f"one-hot label in the last {classes} columns",
                f"exactly one of them is 1, and {columns.width:,} = {width:,} + {classes}",
                "--reading.label none",
            )
            return replace(columns, width=width, trail=classes, onehot=classes,
                           decisions=(*columns.decisions, decision))  # fmt: skip
    for classes in evidence.onehot_widths(table, columns.width, first=True):
        if columns.lead == 0 and fits(columns.width - classes, image):
            raise DataError(
                f"{table.path}, row {table.skipped + 1}: the first {classes} columns hold exactly "
                "one 1 in each row, as one-hot labels do. Expected those behind the pixels.",
                f"Move them there: in pandas, frame[[*frame.columns[{classes}:], "
                f"*frame.columns[:{classes}]]].to_csv(FILE, index=False).",
            )
    return columns
