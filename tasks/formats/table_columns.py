"""Which columns of a table are pixels, which is the label, and which neither."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from autoencoders.images.shape import Sides, find_shape
from tasks.formats.errors import DataError
from tasks.formats.label_arrays import LABEL_NAME
from tasks.formats.pixel_names import odd_names, ordered, pixel_order, refuse_gaps

if TYPE_CHECKING:
    from autoencoders.settings import ReadingSettings

INDEX = re.compile(r"__index_level_\d+__|unnamed: ?\d+|index|id|row", re.IGNORECASE)
"""Names of columns that count rows."""


@dataclass(frozen=True)
class Columns:
    """What the columns of a file are."""

    pixels: tuple[str, ...]
    """One per value, or one that holds whole images."""
    whole: bool
    """Whether one column holds whole images."""
    label: str | None
    decisions: tuple[tuple[str, str, str], ...]


def choose_columns(
    path: Path, schema: pa.Schema, reading: "ReadingSettings", image: Sides
) -> Columns:
    """Say what the columns of a table are.

    Args:
        path: The file.
        schema: Its columns.
        reading: Which are label and index, where looking is not to decide.
        image: Height, width and channels that are given.

    Raises:
        DataError: If they are no images, or it is open which are.
    """
    whole = [field.name for field in schema if is_whole_image(field.type)]
    if whole:
        return _whole_images(path, schema, whole, reading)
    return _one_per_pixel(path, schema, reading, image)


def is_number(kind: pa.DataType) -> bool:
    """Return whether values of this type are numbers, or yes and no."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or
                pa.types.is_boolean(kind))  # fmt: skip


def is_list(kind: pa.DataType) -> bool:
    """Return whether values of this type are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or
                pa.types.is_fixed_size_list(kind))  # fmt: skip


def is_binary(kind: pa.DataType) -> bool:
    """Return whether values of this type are bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or
                pa.types.is_fixed_size_binary(kind))  # fmt: skip


def is_whole_image(kind: pa.DataType) -> bool:
    """Return whether a value of this type can hold a whole image."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and is_binary(field.type) for field in kind)
    while is_list(kind):
        kind = kind.value_type
        if is_number(kind):
            return True
    return is_binary(kind)


def _whole_images(
    path: Path, schema: pa.Schema, whole: list[str], reading: "ReadingSettings"
) -> Columns:
    if len(whole) > 1:
        raise DataError(
            f"{path}: which column holds the images? {', '.join(whole)} all could.",
            "Keep one of them, in pandas: pd.read_parquet(FILE, columns=[...]).to_parquet(FILE).",
        )
    others = [field.name for field in schema if field.name not in whole]
    named = [name for name in others if LABEL_NAME.fullmatch(name)]
    label: str | None = None
    if reading.label == "auto":
        label = named[0] if len(named) == 1 else others[0] if len(others) == 1 else None
    elif others and reading.label != "none":
        label = others[0 if reading.label == "first" else -1]
    decisions = [(f"images in the column {whole[0]}", "it holds whole images", "")]
    if others:
        what = "no labels" if label is None else f"labels in the column {label}"
        option = "--reading.label first or last" if label is None else "--reading.label none"
        decisions.append((what, f"its other columns are {listed(others)}", option))
    return Columns((whole[0],), True, label, tuple(decisions))


def _one_per_pixel(
    path: Path, schema: pa.Schema, reading: "ReadingSettings", image: Sides
) -> Columns:
    names = [field.name for field in schema]
    if len(set(names)) < len(names):
        raise DataError(f"{path}: several columns have the same name.", "Give each its own.")
    decisions: list[tuple[str, str, str]] = []
    index = [name for name in names[:1] + names[-1:] if INDEX.fullmatch(name)]
    if reading.index == "yes" or (reading.index == "auto" and index):
        left_out = names[0] if reading.index == "yes" else index[0]
        names.remove(left_out)
        decisions.append((f"column {left_out} left out", "it counts rows", "--reading.index no"))
    label = _label(path, schema, names, reading, image)
    if label is not None:
        names.remove(label)
        why = "its name or its type says so, or the others alone have the values of an image"
        decisions.append((f"labels in the column {label}", why, "--reading.label none"))
    if others := [name for name in names if not is_number(schema.field(name).type)]:
        if label is None and reading.label == "auto":
            raise _no_numbers(path, schema, others)
        names = [name for name in names if name not in others]
        decisions.append((f"left out: {listed(others)}", "no numbers, so no pixels", ""))
    if not names:
        raise DataError(
            f"{path}: expected columns of numbers, one per pixel, or one column of images; there "
            "are none.",
            "Give the file of the images.",
        )
    if find_shape(len(names), image) is None:
        refuse_gaps(path, names)
    if (order := pixel_order(names)) is not None:
        decisions.append(ordered(names))
        names = [names[at] for at in order]
    return Columns(tuple(names), False, label, tuple(decisions))


def _no_numbers(path: Path, schema: pa.Schema, others: list[str]) -> DataError:
    kinds = listed([f"{name} ({schema.field(name).type})" for name in others])
    return DataError(
        f"{path}: expected columns of numbers, one per pixel, and at most one of labels; {kinds} "
        "cannot be pixels, and none of them is called label.",
        "Rename the column of the labels to label; or use none of them: --reading.label none.",
    )


def _label(
    path: Path, schema: pa.Schema, names: list[str], reading: "ReadingSettings", image: Sides
) -> str | None:
    """Return the column of the labels: as set, by its name or type, or because without it an image
    has a plain shape."""
    if reading.label == "none" or len(names) < 2:
        return None
    if reading.label in ("first", "last"):
        return names[0 if reading.label == "first" else -1]
    ends = (names[0], names[-1])
    named = [name for name in names if LABEL_NAME.fullmatch(name)]
    text = [name for name in names if not is_number(schema.field(name).type)]
    for found in (named, text):
        if len(found) == 1:
            return found[0]
    if find_shape(len(names), image) is not None:
        return None
    _refuse_one_hot(path, [name for name in names if name not in text], image)
    shape = find_shape(len(names) - 1, image)
    if shape is None:
        return None
    others = {schema.field(name).type for name in names[1:-1]}
    for found in (
        odd_names(names),
        [name for name in ends if schema.field(name).type not in others],
    ):
        if len(found) == 1:
            return found[0]
    raise DataError(
        f"{path}: {len(names):,} = 1 + {' x '.join(map(str, shape))}, a label and an image, but "
        f"the label may be in the column {ends[0]} or in the column {ends[1]}.",
        "Say which one with --reading.label first or --reading.label last.",
    )


def _refuse_one_hot(path: Path, names: list[str], image: Sides) -> None:
    """Refuse columns of a form of their own at the end of a row, without which an image has a plain
    shape: one-hot labels, of which a column holds only part."""
    classes = len(odd_names(names))
    shape = find_shape(len(names) - classes, image)
    if classes > 1 and shape is not None and odd_names(names) == names[-classes:]:
        raise DataError(
            f"{path}: {len(names):,} = {' x '.join(map(str, shape))} + {classes}, an image and "
            f"{classes} columns that are named in another way, {names[-classes]} to {names[-1]}. "
            "Expected at most one, the label.",
            f"If they are one-hot labels, make one column of them: in pandas, frame.iloc[:, "
            f":-{classes}].assign(label=frame.iloc[:, -{classes}:].to_numpy().argmax(axis=1))"
            f".to_parquet(FILE). If they are something else, leave them out: frame.iloc[:, "
            f":-{classes}].to_parquet(FILE).",
        )


def listed(names: list[str]) -> str:
    """Return the first of some names."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
