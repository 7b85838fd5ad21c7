"""What the page of an experiment shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from autoencoders.report.page import render_page
from autoencoders.report.values import Row, number

NUMBERS = {"PSNR (dB)": 2, "± seeds": 2, "cost (CPU s)": 1, "test PSNR": 2}
"""Columns of numbers, and their decimals."""


def experiment_page(facts: Mapping[str, Any], figure: str) -> str:
    """Write the page of an experiment.

    Args:
        facts: `headline`, `what`, `conclusions`, `doubts`, `points` (rows in order, numbers or null
            in the columns of `NUMBERS`), `chosen` (numbers of points), `convention`, `commands`.
        figure: Address of the figure.

    Returns:
        HTML.
    """
    rows = [_cells(row) for row in facts["points"]]
    return render_page(
        "experiment",
        {**facts, "rows": rows, "numbers": [*NUMBERS], "ours": _texts(facts["chosen"]),
         "figure": figure},
    )  # fmt: skip


def _cells(row: Row) -> Row:
    """Return a row in which numbers are sorted as numbers, and shown with their decimals."""
    return {
        name: {"value": "" if value is None else value, "shown": number(value, NUMBERS[name]),
               "note": ""}
        if name in NUMBERS else str(value)
        for name, value in row.items()
    }  # fmt: skip


def _texts(values: Sequence[int]) -> list[str]:
    return [str(value) for value in values]
