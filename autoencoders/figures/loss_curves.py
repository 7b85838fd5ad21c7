"""Loss against epoch, one panel per network."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

TRAIN_COLOUR, VALIDATION_COLOUR, BEST_COLOUR = "#0072B2", "#D55E00", "#000000"
"""Of Okabe and Ito (2008), told apart with every common colour blindness."""


def loss_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot training and validation loss against epoch, and mark the least validation loss.

    Args:
        histories: For each network's name, a table with the columns epoch, loss and val_loss.

    Returns:
        A figure with one panel per network, loss on a logarithmic axis.
    """
    figure = Figure(figsize=(4.6 * len(histories), 3.4), layout="constrained")
    panels = figure.subplots(1, len(histories), squeeze=False)[0]
    for axes, (name, history) in zip(panels, histories.items(), strict=True):
        _plot(axes, history)
        axes.set(title=name.capitalize(), xlabel="epoch", ylabel="mean squared error")
        axes.locator_params(axis="x", integer=True)  # there is no half epoch
        if history[["loss", "val_loss"]].to_numpy().max() > 0:  # a logarithmic axis has no 0
            _set_logarithmic(axes)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def _plot(axes: Axes, history: pd.DataFrame) -> None:
    marker = "o" if len(history) <= 10 else None  # one epoch alone would draw no line
    axes.plot(history["epoch"], history["loss"], color=TRAIN_COLOUR, marker=marker,
              label="train")  # fmt: skip
    axes.plot(history["epoch"], history["val_loss"], color=VALIDATION_COLOUR, marker=marker,
              linestyle="--", label="validation")  # fmt: skip
    best = int(history["val_loss"].argmin())  # of equal ones, the earliest
    epoch = history["epoch"].iloc[best]
    axes.plot(epoch, history["val_loss"].iloc[best], color=BEST_COLOUR, marker="o", markersize=9,
              fillstyle="none", linestyle="none", label=f"best: epoch {epoch}")  # fmt: skip


def _set_logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    # A loss rarely spans several decades, so powers of ten alone would leave the axis unlabelled;
    # these multiples are evenly enough spaced
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
