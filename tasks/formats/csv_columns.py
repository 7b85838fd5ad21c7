"""Which columns of a table are pixels, and which are labels, row numbers, or neither."""

import re
from dataclasses import dataclass, replace

from autoencoders.images.shape import Shape, Sides, find_shape
from tasks.formats import csv_evidence as evidence
from tasks.formats.csv_dialect import is_list
from tasks.formats.csv_table import Table
from tasks.formats.errors import DataError
from tasks.formats.pixel_names import (
    PIXEL,
    ordered,
    pixel_order,
    refuse_between,
    refuse_gaps,
)

Decision = tuple[str, str, str]

LABELS = ("label", "labels", "class", "class_label", "target", "targets", "y", "category", "digit",
          "letter", "emotion")  # fmt: skip
"""Names of a label column, the surest first."""
INDEXES = ("", "index", "idx", "id", "unnamed: 0", "image_id", "imageid", "rowid", "row", "row_id",
           "filename", "file", "image_name", "...1")  # fmt: skip
SPLITS = ("usage", "split", "subset", "partition", "set", "fold")
MOST_OTHERS = 8
"""Columns at each end that are looked at."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table of images: some others, the pixels of an image, some others."""

    width: int
    """Values per image; of images in one cell, as many as the first one has."""
    lead: int = 0
    """Columns before the pixels."""
    trail: int = 0
    """Columns behind the pixels."""
    label: int | None = None
    """Which column holds the label, counted from 0 over all columns."""
    onehot: int = 0
    """Columns at the end of which exactly one is 1; they are the label."""
    index: int | None = None
    """Which column counts the rows."""
    row_names: int | None = None
    """Which column names the rows."""
    row_numbers: bool = False
    """Whether the first column has numbers for names, in whatever order."""
    cell: int | None = None
    """Which column holds all pixels of an image; `lead` and `trail` count the others then."""
    words: bool = False
    """Whether labels are text."""
    shape: Shape | None = None
    """The shape of an image, if the column names say it."""
    order: tuple[int, ...] | None = None
    """Which of the columns of an image holds its first pixel, which its second, and so on; None if
    they stand in order."""
    decisions: tuple[Decision, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether there are labels."""
        return self.label is not None or self.onehot > 0

    @property
    def total(self) -> int:
        """Cells per row."""
        return self.lead + self.trail + (1 if self.cell is not None else self.width)


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
    refuse_between(table.path, table.skipped, table.header.names or ())
    cell = next((at for at in range(min(table.width, MOST_OTHERS)) if _holds_lists(table, at)), -1)
    if cell >= 0 and label == "auto" and "label" not in roles.values():
        beside = [at for at in range(table.width) if at != cell and evidence.are_labels(table, at)]
        roles |= {at: "label" for at in beside if len(beside) == 1}
    columns = _between(table.width, roles) if cell < 0 else _in_one_cell(table, cell)
    columns = _with_roles(table, columns, roles, names)
    if cell < 0:
        columns = _by_arithmetic(table, columns, label, index, image)
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
    if own and not _fits(columns.width, image):
        refuse_gaps(table.path, own)
    order = pixel_order(own) if own else None
    if order is None:
        return columns
    return replace(columns, order=order, decisions=(*columns.decisions, ordered(own)))


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


def _by_arithmetic(table: Table, columns: Columns, label: str, index: str, image: Sides) -> Columns:
    """Set columns apart without which an image has a plain shape."""
    may_count = columns.lead == 0 and index != "no" and evidence.counts(table, 0)
    if may_count and len(table.rows) >= evidence.ENOUGH:
        # No pixel counts through so many images, whatever shape it would complete
        columns, may_count = _with_index(columns), False
    width = columns.width
    if _fits(width, image):
        return columns
    may_label = not columns.labelled and label == "auto"
    if _fits(width - 1, image):
        if may_count:
            return _with_index(columns)
        return _with_label(table, columns, image) if may_label else columns
    if _fits(width - 2, image) and may_count and may_label:
        return _with_label(table, _with_index(columns), image)
    if may_label:
        return _with_onehot(table, columns, image)
    return columns


def _fits(width: int, image: Sides) -> bool:
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
        if _fits(columns.width - classes, image):
            width = columns.width - classes
            decision = (
                f"one-hot label in the last {classes} columns",
                f"exactly one of them is 1, and {columns.width:,} = {width:,} + {classes}",
                "--reading.label none",
            )
            return replace(columns, width=width, trail=classes, onehot=classes,
                           decisions=(*columns.decisions, decision))  # fmt: skip
    for classes in evidence.onehot_widths(table, columns.width, first=True):
        if columns.lead == 0 and _fits(columns.width - classes, image):
            raise DataError(
                f"{table.path}, row {table.skipped + 1}: the first {classes} columns hold exactly "
                "one 1 in each row, as one-hot labels do. Expected those behind the pixels.",
                f"Move them there: in pandas, frame[[*frame.columns[{classes}:], "
                f"*frame.columns[:{classes}]]].to_csv(FILE, index=False).",
            )
    return columns


def _named_shape(names: list[str] | None, columns: Columns) -> Shape | None:
    """Return the shape that names such as 1x1, …, 28x28 say."""
    if names is None or columns.cell is not None:
        return None
    last = re.fullmatch(r"([0-9]+)x([0-9]+)", names[len(names) - columns.trail - 1])
    if last and names[columns.lead] == "1x1" and int(last[1]) * int(last[2]) == columns.width:
        return int(last[1]), int(last[2]), 1
    return None
