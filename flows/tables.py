"""What commands print: tables for people, JSON for programs, warnings beside either."""

import json
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

MIN_WIDTHS = {"run": 24}
"""Characters that a column keeps where there is little room."""


def print_rows(rows: list[dict[str, Any]], *, as_json: bool = False) -> None:
    """Print rows as a table for people, or as JSON."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        return
    shown = [name for name in rows[0] if any(row[name] not in ("", None) for row in rows)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        number = any(isinstance(row[name], int | float) for row in rows)
        table.add_column(
            name.replace(" ", "\n"), justify="right" if number else "left", overflow="fold",
            no_wrap=number or name in ("state", "step", "kind"),
            min_width=MIN_WIDTHS.get(name),
        )  # fmt: skip
    for row in rows:
        table.add_row(*(_formatted(row[name]) for name in shown))
    Console(highlight=False, markup=False).print(table)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=1))


def warner() -> Callable[[str], None]:
    """Return a function that prints warnings on standard error, each text once."""
    said = set()

    def warn(text: str) -> None:
        if text not in said:
            said.add(text)
            console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
            console.print(f"warning: {text}")

    return warn


def _formatted(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:,.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
