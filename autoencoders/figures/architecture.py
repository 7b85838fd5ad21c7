"""The tables of the layers of networks, as a figure."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.table import Table
from matplotlib.transforms import Bbox

WIDTH, ROW = 7, 0.3
"""Inches: the width of a table, and the height of one of its rows."""


def architecture(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Typeset tables of layers, with the total number of parameters.

    Args:
        tables: Name of a network to its layers: one row per layer, `parameters` as the last column.
            Networks with the same layers are shown once.

    Returns:
        A figure with one table per different network, side by side, and nothing else; where they
        differ, each has its names for a title.
    """
    names: dict[str, list[str]] = {}
    for name, layers in tables.items():
        names.setdefault(layers.to_csv(index=False), []).append(name)
    shown = [(tables[same[0]], same) for same in names.values()]
    tallest = max(len(layers) for layers, _ in shown) + 1
    figure = Figure(figsize=(WIDTH * len(shown), ROW * (tallest + 1)), layout="constrained")
    for axes, (layers, same) in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True
    ):
        if len(shown) > 1:
            axes.set_title(", ".join(same), fontsize=12)
        _typeset(axes, layers, (len(layers) + 2) / (tallest + 1))
    return figure


def _typeset(axes: Axes, layers: pd.DataFrame, height: float) -> None:
    """Draw one table, over this share of the height from the top."""
    cells = _cells(layers)
    axes.axis("off")
    table = axes.table(
        cells, colLabels=list(layers.columns), cellLoc="left", colLoc="left",
        edges="horizontal", bbox=Bbox.from_bounds(0, 1 - height, 1, height),
    )  # fmt: skip
    _format(table, total_row=len(cells), number_column=len(layers.columns) - 1)


def _cells(layers: pd.DataFrame) -> list[list[str]]:
    shown = layers.astype({"parameters": int})
    cells = [
        [*map(str, row[:-1]), f"{row[-1]:,}"] for row in shown.itertuples(index=False, name=None)
    ]
    cells.append(["total", *[""] * (len(shown.columns) - 2), f"{shown['parameters'].sum():,}"])
    return cells


def _format(table: Table, *, total_row: int, number_column: int) -> None:
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    for (row, column), cell in table.get_celld().items():
        cell.get_text().set_fontweight("bold" if row in (0, total_row) else "normal")
        if column == number_column:
            cell.get_text().set_horizontalalignment("right")
