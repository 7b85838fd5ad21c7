"""Which columns of a table are pixels, and which are labels, row numbers, or neither."""

import re
from dataclasses import replace

from autoencoders.images.shape import Shape, Sides
from tasks.formats import csv_evidence as evidence
from tasks.formats.csv_arithmetic import by_arithmetic, fits
from tasks.formats.csv_dialect import is_list
from tasks.formats.csv_layout import Columns
from tasks.formats.csv_table import Table
from tasks.formats.errors import DataError
from tasks.formats.pixel_names import (
    PIXEL,
    ordered,
    pixel_order,
    refuse_between,
    refuse_gaps,
    refuse_repeated,
)

LABELS = ("label", "labels", "class", "class_label", "target", "targets", "y", "category", "digit",
          "letter", "emotion")  # fmt: skip
"""Names of a label column, the surest first."""
INDEXES = ("", "index", "idx", "id", "unnamed: 0", "image_id", "imageid", "rowid", "row", "row_id",
           "filename", "file", "image_name", "...1")  # fmt: skip
SPLITS = ("usage", "split", "subset", "partition", "set", "fold")
COMMENTED = re.compile(rb"[+-]?[0-9][0-9.eE+-]*\s*(#|%|//)\s*\S.*")
"""A number with a comment behind it."""
MOST_OTHERS = 8
"""Columns at each end that are looked at."""


def find_columns(table: Table, label: str, index: str, image: Sides) -> Columns:
    """Tell the columns of a table apart: by names, by arithmetic (785 = 1 + 28 x 28), by content.

    Args:
        table: The table.
        label: Which column holds the label: auto, first, last or none.
        index: Whether the first column counts the rows: auto, yes or no.
        image: What is known of the shape of an image.

    Raises:
        DataError: If the label may be in the first or in the last column.
    """
    names = _names(table)
    roles = _roles(table, names, label, index)
    _refuse_comments(table)
    refuse_repeated(table.path, table.skipped, table.header.names or ())
    refuse_between(table.path, table.skipped, table.header.names or ())
    cell = next((at for at in range(min(table.width, MOST_OTHERS)) if _holds_lists(table, at)), -1)
    if cell >= 0 and label == "auto" and "label" not in roles.values():
        beside = [at for at in range(table.width) if at != cell and evidence.are_labels(table, at)]
        roles |= {at: "label" for at in beside if len(beside) == 1}
    columns = _between(table.width, roles) if cell < 0 else _in_one_cell(table, cell)
    columns = _with_roles(table, columns, roles, names)
    if cell < 0:
        columns = by_arithmetic(table, columns, label, index, image)
        columns = _in_order(table, columns, names, image)
    words = columns.label is not None and evidence.are_words(table, columns.label, 0.1)
    return replace(columns, shape=_named_shape(names, columns), words=words)


def _names(table: Table) -> list[str] | None:
    """Return the column names in small letters, if there is one for every column."""
    if table.header.names is None:
        return None
    names = [name.strip().lower() for name in table.header.names]
    if len(names) == table.width - 1:
        names = ["", *names]  # R names no row numbers
    return names if len(names) == table.width else None


def _roles(table: Table, names: list[str] | None, label: str, index: str) -> dict[int, str]:
    """Return what columns at the ends are, by their names or because they hold words."""
    ends = {*range(min(table.width, MOST_OTHERS)),
            *range(max(0, table.width - MOST_OTHERS), table.width)}  # fmt: skip
    named = names is not None and sum(bool(PIXEL.fullmatch(name)) for name in names) * 2 > len(
        names
    )
    roles = {}
    for at in sorted(ends):
        name = names[at] if names is not None else None
        if name in LABELS:
            roles[at] = "label"
        elif name in INDEXES and (at == 0 or name):
            roles[at] = "index"
        elif name in SPLITS:
            roles[at] = "split"
        elif (named and name and not PIXEL.fullmatch(name)) or evidence.are_words(table, at):
            roles[at] = "other"
    if index == "yes":
        roles[0] = "index"
    elif index == "no" and roles.get(0) == "index":
        del roles[0]
    return _one_label(table, roles, label)


def _one_label(table: Table, roles: dict[int, str], wanted: str) -> dict[int, str]:
    """Choose the label: as set, by name, or else the first words or small numbers that repeat."""
    labels = [at for at, role in roles.items() if role == "label"]
    roles = {at: "other" if role == "label" else role for at, role in roles.items()}
    if wanted == "first":
        labels = [1 if roles.get(0) == "index" else 0]
    elif wanted == "last":
        labels = [table.width - 1]
    elif wanted == "none":
        labels = []
    elif not labels:  # words that differ in every row are names of files
        others = [at for at, role in roles.items() if role == "other"]
        labels = [at for at in others if evidence.are_words(table, at)
                  and evidence.repeats(table, at)]  # fmt: skip
        labels = labels or [at for at in others if evidence.are_labels(table, at)]
    return roles | {at: "label" for at in labels[:1] if at < table.width}


def _in_order(table: Table, columns: Columns, names: list[str] | None, image: Sides) -> Columns:
    """Bring pixels to the order that their names say, if they stand in another one."""
    own = (names or [])[columns.lead : columns.lead + columns.width]
    if own and not fits(columns.width, image):
        refuse_gaps(table.path, own)
    order = pixel_order(own) if own else None
    if order is None:
        return columns
    return replace(columns, order=order, decisions=(*columns.decisions, ordered(own)))


def _refuse_comments(table: Table) -> None:
    """Refuse rows that each end with a comment: the last pixel would be left out with it."""
    last = table.width - 1
    if not all(COMMENTED.fullmatch(row[last]) for row in table.rows):
        return
    cell = table.rows[0][last].decode("utf-8", "replace")
    mark = next(one for one in "#%/" if one in cell)
    read, write = ("", "") if table.header.names else (", header=None", ", header=False")
    raise DataError(
        f"{table.path}, row {table.skipped + 1}, column {last + 1}: expected a number, got "
        f"{cell!r}: a comment stands behind each row.",
        f"Remove the comments: in pandas, pd.read_csv(FILE, comment={mark!r}{read})"
        f".to_csv(FILE, index=False{write}).",
    )


def _holds_lists(table: Table, at: int) -> bool:
    some = [row[at] for row in table.rows[:10]]
    return 2 * sum(is_list(cell) for cell in some) > len(some)


def _in_one_cell(table: Table, cell: int) -> Columns:
    width = len(evidence.listed(table.rows[0][cell]))
    decision = (
        f"pixels in one cell, column {cell + 1}",
        f"it holds {width:,} numbers",
        "",
    )
    return Columns(width, cell, table.width - cell - 1, cell=cell, decisions=(decision,))


def _between(count: int, roles: dict[int, str]) -> Columns:
    lead = trail = 0
    while lead in roles and lead < count - 1:
        lead += 1
    while count - 1 - trail in roles and count - 1 - trail > lead:
        trail += 1
    return Columns(count - lead - trail, lead, trail)


def _with_roles(
    table: Table, columns: Columns, roles: dict[int, str], names: list[str] | None
) -> Columns:
    """Say of every column beside the pixels what it is."""
    decisions, warnings = list(columns.decisions), []
    behind = table.width - columns.trail
    for at in [*range(columns.lead), *range(behind, table.width)]:
        role, name = roles.get(at, "other"), names[at] if names else ""
        called = f"called {name!r}" if name else "by its content or as set"
        if role == "label":
            columns = replace(columns, label=at)
            decisions.append((f"label in column {at + 1}", called, "--reading.label none"))
        elif role == "index":
            if columns.row_names is None:
                columns = replace(columns, row_names=at)
            if at == 0 and not evidence.are_words(table, 0):
                columns = replace(columns, row_numbers=True)
            decisions.append((f"row names in column {at + 1}", called, "--reading.index no"))
        else:
            decisions.append((f"column {at + 1} left out", called, ""))
        if role == "split":
            warnings.append(
                f"Column {at + 1} ({name}) says which images are for training and which for "
                "testing; it is not used."
            )
    return replace(columns, decisions=tuple(decisions), warnings=tuple(warnings))


def _named_shape(names: list[str] | None, columns: Columns) -> Shape | None:
    """Return the shape that names such as 1x1, …, 28x28 say."""
    if names is None or columns.cell is not None:
        return None
    last = re.fullmatch(r"([0-9]+)x([0-9]+)", names[len(names) - columns.trail - 1])
    if last and names[columns.lead] == "1x1" and int(last[1]) * int(last[2]) == columns.width:
        return int(last[1]), int(last[2]), 1
    return None
