"""Labels as arrays hold them: numbers, words, or one-hot rows."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.formats.errors import DataError

LARGEST = 2**32 - 1
LABEL_NAME = re.compile(
    r"y|(fine_?|class_?|target_?)?(labels?|class(es)?|targets?|categor(y|ies)|digits?|letters?"
    r"|characters?|symbols?|species|emotions?)",
    re.IGNORECASE,
)
"""Names that columns of labels have."""
PLAIN = re.compile(r"0|[1-9][0-9]{0,9}")
"""A whole number as it is printed; 007 is a word."""


def label_values(
    path: Path, values: NDArray[Any], name: str = "the array of labels"
) -> NDArray[Any]:
    """Return one label per image.

    Args:
        path: The file they are in.
        values: (n,), (n, 1), or one-hot (n, classes).
        name: What a message calls them.

    Returns:
        (n,) uint32 if all are whole numbers in that range, else text.

    Raises:
        DataError: If they are no labels.
    """
    if values.ndim == 2 and values.shape[1] > 1:
        values = _one_hot(path, values, name)
    if values.ndim not in (1, 2) or values.size != len(values):
        sizes = " x ".join(f"{size:,}" for size in values.shape) or "a single value"
        raise DataError(
            f"{path}: {name} is {sizes}; expected one label per image.",
            "Save one number or word per image, shape (n,), or leave the labels out.",
        )
    return named(path, values.reshape(-1), name)


def _one_hot(path: Path, values: NDArray[Any], name: str) -> NDArray[Any]:
    if values.dtype.kind in "buif":
        ones = values == 1
        if ((values == 0) | ones).all() and (ones.sum(axis=1) == 1).all():
            columns: NDArray[Any] = ones.argmax(axis=1)
            return columns
    raise DataError(
        f"{path}: {name} has {values.shape[1]:,} columns, but its rows are not one-hot (a single 1 "
        "among zeros).",
        "Save one number or word per image, shape (n,), or leave the labels out.",
    )


def named(path: Path, values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels (n,) as uint32 where all are whole numbers in that range, else as text.

    Raises:
        DataError: If one is missing (NaN), or they are neither numbers nor text.
    """
    if values.dtype.kind == "S":
        words: NDArray[Any] = np.char.decode(values, "utf-8", "replace")
        return words
    if values.dtype.kind == "U":
        return values
    if values.dtype.kind not in "buif":
        raise DataError(
            f"{path}: {name} holds {values.dtype}, which are neither numbers nor words.",
            "Save the labels as numbers or words, or leave them out.",
        )
    if not np.isfinite(values).all():
        index = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"{path}: {name} has no label for image {index + 1:,} (it is {values[index]}).",
            "Fill it in, or leave all labels out.",
        )
    whole = (values >= 0) & (values <= LARGEST) & (values == np.floor(values))
    return values.astype(np.uint32) if whole.all() else values.astype(str)


def word_labels(words: Sequence[str]) -> NDArray[Any]:
    """Return labels (n,) given as text: uint32 where all are plain whole numbers, else text."""
    values = np.array(words, dtype=str)
    numbers = all(PLAIN.fullmatch(word) and int(word) <= LARGEST for word in set(words))
    return values.astype(np.uint32) if numbers else values
