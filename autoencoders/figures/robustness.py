"""Quality against the strength of the noise, with clipped and with unclipped noise."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoencoders.figures.styles import line_style


def robustness(tables: Mapping[str, pd.DataFrame], *, title: str, factor: float) -> Figure:
    """Plot the PSNR of every method over the noise factor.

    Args:
        tables: One table under any name, with the columns method, noise, factor, images, psnr,
            psnr_low and psnr_high (dB).
        title: Heading of the figure.
        factor: The noise factor at which methods were trained or fitted.

    Returns:
        A figure with one panel per kind of noise, one line per method, and its 95 % interval as a
        band.
    """
    (table,) = tables.values()
    kinds = list(dict.fromkeys(table["noise"]))
    figure = Figure(figsize=(3.9 * len(kinds) + 1.6, 4.2), layout="constrained")
    figure.suptitle(f"{title} ({table['images'].max():,} test images)")
    panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        _plot(axes, table[table["noise"] == kind])
        axes.axvline(
            factor, color="0.5", linewidth=1, zorder=0, label=f"trained or fitted\nat {factor:g}"
        )
        axes.set(title=f"{kind} noise", xlabel="noise factor (pixel range = 1)")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("PSNR of the mean error (dB; higher is better)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure


def _plot(axes: Axes, table: pd.DataFrame) -> None:
    for index, method in enumerate(dict.fromkeys(table["method"])):
        rows = table[table["method"] == method].apply(pd.to_numeric, errors="coerce")
        style = line_style(index)
        axes.plot(rows["factor"], rows["psnr"], label=method, linewidth=1.6, **style)
        axes.fill_between(rows["factor"], rows["psnr_low"], rows["psnr_high"],
                          color=style["color"], alpha=0.15, linewidth=0)  # fmt: skip
