"""Networks as drawings of what comes out of their layers, above the tables of these."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.table import Table
from matplotlib.transforms import Bbox

WIDTH, ROW = 8, 0.28
"""Inches: the width of a table, and the height of one of its rows."""
DRAWING = 2.9
"""Inches: the height of a drawing."""
LAYER, CODE = "#56B4E9", "#D55E00"
"""Colours of an output, and of those of least resolution."""


def architecture(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw what comes out of the layers to scale, the bottleneck marked, and typeset the layers.

    Args:
        tables: Name of a network to its layers: one row per layer with the columns layer, kind,
            output (as `7 x 7 x 128`), any others, and `parameters` as the last. Networks with the
            same layers are shown once.

    Returns:
        A figure with a drawing and a table per different network, side by side; where they differ,
        each has its names for a title.
    """
    names: dict[str, list[str]] = {}
    for name, layers in tables.items():
        names.setdefault(layers.to_csv(index=False), []).append(name)
    shown = [(tables[same[0]], same) for same in names.values()]
    tallest = max(len(layers) for layers, _ in shown) + 1
    below = ROW * (tallest + 1)
    figure = Figure(figsize=(WIDTH * len(shown), DRAWING + below), layout="constrained")
    panels = figure.subplots(2, len(shown), squeeze=False, height_ratios=[DRAWING, below])
    for drawing, table, (layers, same) in zip(*panels, shown, strict=True):
        _draw(drawing, layers, f"{', '.join(same)}\n" if len(shown) > 1 else "")
        _typeset(table, layers, (len(layers) + 2) / (tallest + 1))
    return figure


def _draw(axes: Axes, layers: pd.DataFrame, title: str) -> None:
    """Draw a box per output: as high as it is, as wide as the root of its channels."""
    outputs = _outputs(layers)
    shapes = np.array([shape for _, shape in outputs])
    heights = shapes[:, 0] / shapes[:, 0].max()
    widths = 0.25 + np.sqrt(shapes[:, 2] / shapes[:, 2].max())
    gap = 0.55
    left = np.concatenate([[0], np.cumsum(widths + gap)[:-1]])
    places = shapes[:, 0] * shapes[:, 1]
    smallest = places == places.min()
    for index, (x, width, height) in enumerate(zip(left, widths, heights, strict=True)):
        axes.add_patch(Rectangle((x, -height / 2), width, height, edgecolor="black",
                                 facecolor=CODE if smallest[index] else LAYER))  # fmt: skip
        middle = x + width / 2
        axes.text(middle, 0.56, outputs[index][0], ha="left", fontsize=8, rotation=25)
        axes.text(middle, -0.56, "\n".join(map(str, shapes[index])), ha="center", va="top",
                  fontsize=8)  # fmt: skip
        if index:
            axes.annotate("", (x, 0), (x - gap, 0), arrowprops={"arrowstyle": "->"})
    narrowest = shapes[smallest].prod(axis=1).min()
    axes.set_title(
        f"{title}Outputs of the layers (height, width, channels); in orange those of least "
        f"resolution, at the narrowest {narrowest:,} numbers", fontsize=8.5,
    )  # fmt: skip
    axes.set(xlim=(-0.3, left[-1] + widths[-1] + 1), ylim=(-1.15, 1.2))
    axes.axis("off")


def _outputs(layers: pd.DataFrame) -> list[tuple[str, tuple[int, int, int]]]:
    """Return for each run of layers with the same output the first one's name, and its shape.

    The last side counts as channels, the others as height and width; a dense layer has neither.
    """
    found: list[tuple[str, tuple[int, int, int]]] = []
    for name, output in zip(layers["layer"], layers["output"], strict=True):
        *sides, channels = (int(side) for side in str(output).split(" x "))
        height, *widths = sides or [1]
        shape = height, int(np.prod(widths, dtype=int)), channels
        if not found or found[-1][1] != shape:
            found.append((str(name), shape))
    return found


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
