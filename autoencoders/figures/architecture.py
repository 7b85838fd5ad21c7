"""The table of a network's layers, as a figure."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.table import Table
from matplotlib.transforms import Bbox


def architecture(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Typeset a table of layers, with the total number of parameters.

    Args:
        tables: One table under any name: one row per layer, `parameters` as the last column.

    Returns:
        A figure that holds the table and nothing else.

    Raises:
        ValueError: If there is not exactly one table.
    """
    if len(tables) != 1:
        raise ValueError(f"`tables` must hold exactly one table. Received: {list(tables)}")
    (layers,) = tables.values()
    cells = _cells(layers)
    figure = Figure(figsize=(7, 0.3 * (len(cells) + 1)), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    table = axes.table(
        cells, colLabels=list(layers.columns), cellLoc="left", colLoc="left",
        edges="horizontal", bbox=Bbox.unit(),
    )  # fmt: skip
    _format(table, total_row=len(cells), number_column=len(layers.columns) - 1)
    return figure


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
