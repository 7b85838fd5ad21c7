"""How the quality of single images is distributed, which a mean cannot show."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from autoencoders.figures.styles import line_style
from autoencoders.metrics.quality import psnr

CAP = float(psnr(0.0))
"""PSNR in dB that no image exceeds: the error is that of rounding pixels to bytes, or less."""


def score_distribution(tables: Mapping[str, pd.DataFrame], *, title: str) -> Figure:
    """Plot the empirical cumulative distribution of the PSNR of single images.

    Args:
        tables: For each method's name, a table with one row per image and the PSNR in dB in the
            column `psnr`; images whose PSNR is NaN are left out and counted in the legend. A
            method without a row is not drawn.
        title: Heading of the figure.

    Returns:
        A figure with one line per method: at each PSNR, the share of images that reach no more
        than it. The further right a line, the better the method.
    """
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for index, (name, table) in enumerate(tables.items()):
        if table.empty:
            continue  # a method that was left out
        values = table["psnr"].dropna().to_numpy()
        missing = len(table) - len(values)
        # A line of no image runs nowhere, but has its place in the legend
        draw = axes.ecdf if len(values) else axes.plot
        draw(
            values, label=name + (f"\n({missing:,} images: not a number)" if missing else ""),
            linewidth=1.8, **line_style(index),
        )  # fmt: skip
    # To 1e-6, since NumPy's logarithm of an array may differ from that of a number in the last bit
    if any((table["psnr"] > CAP - 1e-6).any() for table in tables.values()):
        # Without a word about it, a line that climbs at the cap would look like a mistake
        axes.axvline(CAP, color="0.6", linewidth=1, zorder=0,
                     label=f"cap at {CAP:.1f} dB:\nrounding to bytes")  # fmt: skip
    most = max(len(table) for table in tables.values())
    axes.set(title=f"{title}\n({most:,} test images)",
             xlabel="PSNR of an image (dB; higher is better)",
             ylabel="share of test images\nwith at most this PSNR")  # fmt: skip
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    # Beside the panel, where no line can run beneath it
    figure.legend(loc="outside right upper", frameon=False)
    return figure
