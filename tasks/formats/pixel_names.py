"""What the names of columns say of pixels: which are some, and in which order they belong."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tasks.formats.errors import DataError

PIXEL = re.compile(r"(?:[a-z]{0,9}[ _.-]?)?[0-9]+(?:[x_,. -][0-9]+)*", re.IGNORECASE)
"""Names of pixels: pixel0, 1x1, x12, V5, 784, pixel_3_4."""
NUMBER = re.compile(r"[0-9]+")


def odd_names(names: Sequence[str]) -> list[str]:
    """Return the names that are not numbered as most of them are; none if most have no form in
    common."""
    forms = [NUMBER.sub("#", name) for name in names]
    usual, often = Counter(forms).most_common(1)[0]
    if "#" not in usual or 2 * often <= len(forms):
        return []
    return [name for name, form in zip(names, forms, strict=True) if form != usual]


def pixel_order(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return where the first pixel stands, where the second, and so on, if names number them
    otherwise than they stand: pixel0, pixel1, pixel10, as a program leaves them that sorts words.

    Args:
        names: Of the columns of an image, as they stand.

    Returns:
        Indices of `names`; None if they stand in order, or do not say in which they belong.
    """
    forms = {NUMBER.sub("#", name) for name in names}
    places = [tuple(map(int, NUMBER.findall(name))) for name in names]
    if len(forms) != 1 or len(set(places)) < len(places) or len(places[0]) not in (1, 2):
        return None
    down = [place[::-1] for place in places]  # 1x1, 2x1, 3x1: whoever numbers so, stands in order
    if places == sorted(places) or down == sorted(down):
        return None
    spans = [max(one) - min(one) + 1 for one in zip(*places, strict=True)]
    if math.prod(spans) != len(places):
        return None  # numbers with gaps between them count something else
    return tuple(sorted(range(len(places)), key=places.__getitem__))


def ordered(names: Sequence[str]) -> tuple[str, str, str]:
    """Return the decision that pixels were brought in order."""
    return (
        "pixels in the order of their names",
        f"their columns stand as {', '.join(names[:4])}, …",
        "",
    )


def refuse_between(path: Path, row: int, names: Sequence[str]) -> None:
    """Refuse a column that stands between pixels and is none by its name.

    Args:
        path: The file.
        row: The row of the names in it.
        names: Of all columns.

    Raises:
        DataError: If there is one.
    """
    pixels = [at for at, name in enumerate(names) if PIXEL.fullmatch(name.strip())]
    if 2 * len(pixels) <= len(names):
        return
    for at in range(pixels[0], pixels[-1]):
        if not PIXEL.fullmatch(names[at].strip()):
            raise DataError(
                f"{path}, row {row}, column {at + 1}: the column {names[at]!r} stands between "
                "those of the pixels. Expected all pixels side by side.",
                f"Move it to the front: in pandas, frame.insert(0, {names[at]!r}, "
                f"frame.pop({names[at]!r})), and write the file again with to_csv(index=False).",
            )
