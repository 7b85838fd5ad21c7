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
WORD_BEFORE = re.compile(r"([a-z]*)[^a-z0-9]*[0-9]+")
DOWN, ACROSS = {"row", "r", "y"}, {"col", "column", "c", "x"}
"""Words before the number of a row or of a column: row0_col3, x3_y0."""
MOST_GAPS = 3
"""How many times more pixels names may number than there are, for the others to be missing."""


def odd_names(names: Sequence[str]) -> list[str]:
    """Return the names that are not numbered as most of them are; none if most have no form in
    common."""
    usual = _usual(names)
    return [] if usual is None else [name for name in names if _form(name) != usual]


def _form(name: str) -> str:
    return NUMBER.sub("#", name.strip())


def _usual(names: Sequence[str]) -> str | None:
    """Return the form that most names have, if it has a number."""
    form, often = Counter(map(_form, names)).most_common(1)[0] if names else ("", 0)
    return form if "#" in form and 2 * often > len(names) else None


def pixel_order(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return where the first pixel stands, where the second, and so on, if names number them
    otherwise than they stand: pixel0, pixel1, pixel10, as a program leaves them that sorts words.

    Args:
        names: Of the columns of an image, as they stand.

    Returns:
        Indices of `names`; None if they stand in order, or do not say in which they belong.
    """
    forms = {_form(name) for name in names}
    places = [tuple(map(int, NUMBER.findall(name))) for name in names]
    if sorted(form[:1].lower() for form in forms) == ["b", "g", "r"]:
        places = [(*place, "rgb".index(name.strip()[0].lower()))
                  for place, name in zip(places, names, strict=True)]  # fmt: skip
        by_plane = sorted(places, key=lambda place: (place[-1], place))
        return None if places in (sorted(places), by_plane) else _sorted(places)
    if len(forms) != 1 or len(set(places)) < len(places) or len(places[0]) not in (1, 2):
        return None
    down = [place[::-1] for place in places]
    words = WORD_BEFORE.findall(names[0].lower())
    if len(words) == 2 and words[0] in ACROSS and words[1] in DOWN:
        places = down
    elif down == sorted(down) and not (len(words) == 2 and words[0] in DOWN and words[1] in ACROSS):
        return None  # 1x1, 2x1, 3x1: whoever numbers so, stands in order
    if places == sorted(places):
        return None
    spans = [max(one) - min(one) + 1 for one in zip(*places, strict=True)]
    if math.prod(spans) != len(places):
        return None  # numbers with gaps between them count something else
    return _sorted(places)


def _sorted(places: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted(range(len(places)), key=places.__getitem__))


def refuse_repeated(path: Path, row: int, names: Sequence[str]) -> None:
    """Refuse pixels that are there twice, as after tables were joined.

    Args:
        path: The file.
        row: The row of the names in it.
        names: Of all columns.

    Raises:
        DataError: If several columns have the name of one pixel.
    """
    pixels = [name for name in names if PIXEL.fullmatch(name.strip()) and name[0].isalpha()]
    if len(set(pixels)) == len(pixels):
        return
    twice = [name for name, count in Counter(pixels).items() if count > 1]
    more = f", and {len(twice) - 1:,} more names repeat" if len(twice) > 1 else ""
    raise DataError(
        f"{path}, row {row}: {pixels.count(twice[0])} columns are called {twice[0]!r}{more}. "
        "Expected one column per pixel.",
        "Keep the first of each: in pandas, frame = pd.read_csv(FILE, header=None, dtype=str); "
        "frame.loc[:, ~frame.iloc[0].duplicated()].to_csv(FILE, index=False, header=False).",
    )


def refuse_gaps(path: Path, names: Sequence[str]) -> None:
    """Refuse pixels of which some are missing, as where those were left out that never change.

    Args:
        path: The file.
        names: Of the columns of an image, whose number makes no plain shape.

    Raises:
        DataError: If their numbers have gaps.
    """
    numbers = sorted(int(found[0]) for name in names if (found := NUMBER.findall(name)))
    if len({_form(name) for name in names}) != 1 or len(numbers) < len(names):
        return
    span = numbers[-1] - numbers[0] + 1
    if _form(names[0]).count("#") == 1 and len(names) < span <= MOST_GAPS * len(names):
        raise DataError(
            f"{path}: columns of pixels are missing: their names number {span:,} of them, "
            f"{names[0]} to {names[-1]}, and {len(names):,} are there.",
            "Write all of them, those that were left out as black: in pandas, frame.reindex("
            "columns=NAMES, fill_value=0), with the names of the label and of all pixels in order.",
        )


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
    usual = _usual(names)
    pixels = [at for at, name in enumerate(names)
              if PIXEL.fullmatch(name.strip()) or _form(name) == usual]  # fmt: skip
    if 2 * len(pixels) <= len(names):
        return
    known = set(pixels)
    for at in range(pixels[0], pixels[-1]):
        if at not in known:
            raise DataError(
                f"{path}, row {row}, column {at + 1}: the column {names[at]!r} stands between "
                "those of the pixels. Expected all pixels side by side.",
                f"Move it to the front: in pandas, frame.insert(0, {names[at]!r}, "
                f"frame.pop({names[at]!r})), and write the file again with to_csv(index=False).",
            )
