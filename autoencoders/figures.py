"""The figures, from arrays and tables to matplotlib figures; nothing is saved here."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

Images = NDArray[np.float32]

TRAIN_COLOUR, VALIDATION_COLOUR = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito (2008), told apart with every common colour blindness."""
CELL = 0.85
"""Inches a shown image takes."""


def loss_curves(histories: dict[str, pd.DataFrame]) -> Figure:
    """Plot loss against epoch, a panel a network.

    Args:
        histories: By the network's name, a table with the columns epoch, loss and val_loss.
    """
    figure = Figure(figsize=(4.6 * len(histories), 3.4), layout="constrained")
    panels = figure.subplots(1, len(histories), squeeze=False)[0]
    for axes, (name, history) in zip(panels, histories.items(), strict=True):
        marker = "o" if len(history) <= 10 else None
        axes.plot(history["epoch"], history["loss"], color=TRAIN_COLOUR, marker=marker,
                  label="train")  # fmt: skip
        axes.plot(history["epoch"], history["val_loss"], color=VALIDATION_COLOUR, marker=marker,
                  linestyle="--", label="validation")  # fmt: skip
        axes.set(title=name.capitalize(), xlabel="epoch", ylabel="mean squared error")
        axes.set_yscale("log")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))  # evenly enough spaced
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def image_rows(rows: dict[str, Images], title: str) -> Figure:
    """Show images in rows, the same image in the same column.

    Args:
        rows: By the row's label, float32 (n, height, width, channels) in [0, 1], with the same n.
        title: What stands above.
    """
    count = len(next(iter(rows.values())))
    figure = Figure(figsize=(CELL * count + 1.2, CELL * len(rows) + 0.5), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(len(rows), count, squeeze=False)
    for line, (label, images) in zip(panels, rows.items(), strict=True):
        for axes, image in zip(line, images, strict=True):
            _show(axes, image)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


def architecture(layers: pd.DataFrame) -> Figure:
    """Set the table of layers, with the total of its column `parameters`."""
    shown = layers.astype({"parameters": int})
    cells = [
        [*map(str, row[:-1]), f"{row[-1]:,}"] for row in shown.itertuples(index=False, name=None)
    ]
    cells.append(["total", *[""] * (len(shown.columns) - 2), f"{shown['parameters'].sum():,}"])
    figure = Figure(figsize=(7, 0.3 * (len(cells) + 1)), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    table = axes.table(
        cells, colLabels=list(shown.columns), cellLoc="left", colLoc="left",
        edges="horizontal", bbox=Bbox.unit(),
    )  # fmt: skip
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    last = len(shown.columns) - 1
    for (row, column), cell in table.get_celld().items():
        cell.get_text().set_fontweight("bold" if row in (0, len(cells)) else "normal")
        if column == last:
            cell.get_text().set_horizontalalignment("right")
    return figure


def _show(axes: Axes, image: Images) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    channels = image.shape[2]
    picture = image[:, :, 0] if channels in (1, 2) else image
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
