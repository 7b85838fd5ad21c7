"""How numbers are written on pages."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def number(value: float | None, digits: int) -> str:
    """Return a number with so many decimals; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """Return a difference with its sign; a dash where there is none."""
    return "-" if value is None else f"{value:+.{digits}f}".replace("-", "\u2212")


def score_cell(
    scores: Mapping[str, Any], metric: str, digits: int, *, interval: bool = True
) -> Row:
    """Return a score for a table: as it is sorted, as it is shown, and its interval if known."""
    value = scores.get(metric)
    ends: Sequence[float] | None = scores.get(f"{metric}_interval") if interval else None
    note = "" if not ends else f"{number(ends[0], digits)} to {number(ends[1], digits)}"
    return {"value": "" if value is None else value, "shown": number(value, digits), "note": note}
