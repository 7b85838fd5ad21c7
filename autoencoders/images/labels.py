"""Labels of any kind as numbers: whole numbers as they are, everything else by its name."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[Any]

NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
"""How a whole number is spelt."""
LARGEST = 2**32 - 1
MOST_NAMES = 1 << 16
"""Names that labels may have: more are no classes."""


class LabelKinds:
    """Looks at all labels, then says which number each of them becomes."""

    def __init__(self) -> None:
        self.whole = True
        """Whether all so far are whole numbers from 0 to 2**32 - 1, which stay as they are."""
        self._names: set[str] = set()

    def add(self, labels: Labels) -> None:
        """Look at some more labels, (n,): numbers or text.

        Raises:
            ValueError: If there are more than 65,536 different names.
        """
        if not is_whole(labels):
            self.whole = False
        if len(self._names) <= MOST_NAMES:
            self._names.update(as_names(_distinct(labels)))
        if not self.whole and len(self._names) > MOST_NAMES:
            raise ValueError(f"more than {MOST_NAMES:,} different labels")

    def names(self) -> list[str] | None:
        """Return the name of each class, sorted; None where the numbers say it."""
        return None if self.whole else sorted(self._names)

    def numbers(self, labels: Labels) -> NDArray[np.uint32]:
        """Return labels, (n,), as whole numbers: themselves, or their places among the names."""
        names = self.names()
        if names is None:
            return labels.astype(np.uint32)
        places = np.searchsorted(np.array(names, object), np.array(as_names(labels), object))
        return places.astype(np.uint32)


def _distinct(labels: Labels) -> Labels:
    """Return each label once; of few small numbers without sorting."""
    if is_whole(labels) and len(labels) and labels.max() < len(labels):
        return np.flatnonzero(np.bincount(labels.astype(np.intp)))
    return np.unique(labels)


def as_numbers(labels: Labels) -> Labels:
    """Return text that spells whole numbers, all of it, as numbers; other labels as they are.

    The folder 3 and the word "3" are the class that the number 3 is in another file.
    """
    if labels.dtype.kind in "iuf" or not len(labels):
        return labels
    if all(NUMBER.fullmatch(one) for one in as_names(_distinct(labels))):
        return labels.astype(np.int64)
    return labels


def is_whole(labels: Labels) -> bool:
    """Return whether labels are whole numbers from 0 to 2**32 - 1."""
    if not len(labels) or labels.dtype == np.uint8:
        return True
    return bool(labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() <= LARGEST)


def as_names(labels: Labels) -> list[str]:
    """Return labels as text; 3.0 is spelt 3."""
    if labels.dtype.kind == "f" and (np.rint(labels) == labels).all():
        labels = labels.astype(np.int64)
    return [str(label) for label in labels.tolist()]
