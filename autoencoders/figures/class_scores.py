"""Quality on all images and by class: which classes are hard, and for which method."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from autoencoders.figures.styles import line_style

MARKERS = "osD^vPX*"
"""One more than there are colours, so that no two of the first 56 methods look the same."""
MOST = 40
"""Classes that are drawn; of more, those with most images."""


def class_scores(tables: Mapping[str, pd.DataFrame], *, title: str) -> Figure:
    """Plot the PSNR of every method, with its 95 % interval, on all images and for each class.

    Args:
        tables: One table under any name: a row of all images, then one per class, with the columns
            label, images, and for each method `<method>_psnr`, `<method>_psnr_low` and
            `<method>_psnr_high` (dB).
        title: Heading of the figure.

    Returns:
        A figure with a group of marks per row of the table.
    """
    (table,) = tables.values()
    table, left = _largest(table)
    methods = [name.removesuffix("_psnr") for name in map(str, table) if name.endswith("_psnr")]
    figure = Figure(figsize=(max(7.5, 0.75 * len(table) + 2.2), 4.2), layout="constrained")
    axes = figure.subplots()
    for index, method in enumerate(methods):
        value, low, high = (
            pd.to_numeric(table[f"{method}_psnr{end}"], errors="coerce").to_numpy(np.float64)
            for end in ("", "_low", "_high")
        )
        places = np.arange(len(table)) + 0.8 * ((index + 0.5) / len(methods) - 0.5)
        reach = np.nan_to_num(np.stack([value - low, high - value]).clip(0))
        axes.errorbar(places, value, reach, color=line_style(index)["color"], linestyle="none",
                      marker=MARKERS[index % len(MARKERS)], markersize=3.5, linewidth=1,
                      label=method)  # fmt: skip
    for edge in np.arange(len(table) - 1) + 0.5:
        axes.axvline(edge, color="0.85", linewidth=0.8, zorder=0)
    more = f"; {left:,} smaller classes are not shown" if left else ""
    axes.set(title=f"{title}\n({_numbers(table['images'])}{more})", xlabel="class",
             ylabel="PSNR of the mean error\n(dB; higher is better)")  # fmt: skip
    axes.set_xticks(range(len(table)), [str(label) for label in table["label"]])
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _largest(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the first row and the classes with most images, and how many are left out."""
    classes = table[1:].sort_values("images", ascending=False, kind="stable")[:MOST].sort_index()
    return pd.concat([table[:1], classes]), len(table) - 1 - len(classes)


def _numbers(images: "pd.Series[int]") -> str:
    """Say how many images there are in all, and per class."""
    text = f"{images.iloc[0]:,} test images"
    classes = images.iloc[1:]
    if not len(classes):
        return text
    low, high = classes.min(), classes.max()
    return f"{text}, {low:,}{'' if low == high else f' to {high:,}'} per class"
