"""What was recognised in the user's files, for people: a table that is read in ten seconds."""

import json
from collections.abc import Mapping
from typing import Any

from tasks.engine.handles import ArtifactRef

MOST_CLASSES = 10
"""Classes that the table names."""
ALL_ALIKE = 0.005
"""Largest rounding error, in bytes, that is none: what decimals of a text have lost."""


def read_inspection(ref: ArtifactRef) -> dict[str, Any]:
    """Read an `inspection.json`."""
    found: dict[str, Any] = json.loads(ref.path.read_bytes())
    return found


def inspection_table(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what was recognised as rows of text.

    Args:
        found: The content of `inspection.json`.

    Returns:
        Rows of `what`, `found`, `why` and `option`: the one that decides otherwise.
    """
    height, width, channels = found["shape"]
    colour = "grey" if channels == 1 else f"{channels} channels"
    return [
        *(_row(f"form of {name}", form) for name, form in found["form"].items()),
        _row("images", _by_split(found["images"])),
        _row("size", f"{height} x {width}, {colour}"),
        _row("values", _values(found["range"])),
        *(_row(f"labels of {split}", _labels(one)) for split, one in found["labels"].items()),
        _row("exact copies", _by_split(found["copies"])),
        *(_row("decided", one["what"], one["why"], one["option"]) for one in found["decisions"]),
    ]


def _row(what: str, found: str, why: str = "", option: str = "") -> dict[str, str]:
    return {"what": what, "found": found, "why": why, "option": option}


def _by_split(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in counts.items())


def _values(used: Mapping[str, Any]) -> str:
    error = used["largest rounding error"]
    rounding = f"; rounded by {error:.2g} of 255 at most" if error > ALL_ALIKE else ""
    return f"{used['smallest']:g} to {used['largest']:g}, read as {used['name']}{rounding}"


def _labels(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "none"
    shown = [f"{name} ({count:,})" for name, count in one["images"].items()][:MOST_CLASSES]
    more = one["classes"] - len(shown)
    return f"{one['classes']:,} classes: " + ", ".join(shown) + (f", {more:,} more" if more else "")
