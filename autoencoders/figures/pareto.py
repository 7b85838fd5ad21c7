"""What the points of an experiment reach against what they cost, and which are worth it."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from autoencoders.experiments.outcomes import pareto_front

MOST_NAMED = 8
"""Points of a front that are named under its panel; those that cost most, if there are more."""


def pareto(table: pd.DataFrame, *, title: str) -> Figure:
    """Plot the PSNR of points over the cost of their training.

    Args:
        table: One row per point: `point`, its number; `words`, its values; `noise`, which tells
            points that can be compared; `psnr` and `spread` over seeds in dB, NaN of one seed;
            `cost` in CPU seconds; `chosen`.
        title: Heading of the figure.

    Returns:
        A figure with a panel per noise. A line joins the points that no other one beats in both;
        these carry their number, and are named below.
    """
    noises = list(dict.fromkeys(table["noise"])) or [""]
    figure = Figure(figsize=(max(6.4, 4.6 * len(noises)), 5.2), layout="constrained")
    figure.suptitle(title)
    for axes, noise in zip(figure.subplots(1, len(noises), squeeze=False)[0], noises, strict=True):
        _plot(axes, table[table["noise"] == noise].reset_index(drop=True))
        axes.set(title=noise, xlabel="CPU seconds of a training", ylabel="validation PSNR (dB)")
        axes.grid(alpha=0.3)
    return figure


def _plot(axes: Axes, table: pd.DataFrame) -> None:
    front = pareto_front(table["cost"].tolist(), table["psnr"].tolist())
    axes.errorbar(table["cost"], table["psnr"], yerr=table["spread"].fillna(0), fmt="o",
                  color="0.55", markersize=5, capsize=3, zorder=2, label="points")  # fmt: skip
    best = table.iloc[front]
    axes.plot(best["cost"], best["psnr"], "o-", color="#0072B2", markersize=6, zorder=3,
              label="front: no other is cheaper and better")  # fmt: skip
    chosen = table[table["chosen"]]
    axes.plot(chosen["cost"], chosen["psnr"], "*", color="#D55E00", markersize=15, zorder=4,
              label="chosen")  # fmt: skip
    for _, row in best.iterrows():
        axes.annotate(str(row["point"]), (row["cost"], row["psnr"]), (6, -13),
                      textcoords="offset points", fontsize=9, zorder=5)  # fmt: skip
        if len(best) - list(best["point"]).index(row["point"]) <= MOST_NAMED:
            axes.plot([], [], " ", label=f"{row['point']}: {_wrapped(row['words'])}")
    if len(table) and table["cost"].max() > 3 * table["cost"].min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.1, 0.15)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, fontsize=8)


def _wrapped(words: str) -> str:
    """Return the values of a point without the groups of their settings, two to a line."""
    parts = [part.rpartition(".")[2] if "=" not in part else _short(part)
             for part in words.split(", ")]  # fmt: skip
    lines = [", ".join(parts[start : start + 3]) for start in range(0, len(parts), 3)]
    return "\n".join(lines)


def _short(part: str) -> str:
    name, _, value = part.partition("=")
    return f"{name.rpartition('.')[2]}={value}"
