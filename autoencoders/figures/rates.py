"""What codes of few numbers are worth: images, letters, and what lies between two of them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

NETWORK, LINEAR, PIXELS = "#0072B2", "#D55E00", "#000000"
"""Colours of Okabe and Ito (2008)."""


def rates(
    table: pd.DataFrame, places: pd.DataFrame, strips: NDArray[np.float32],
    names: Mapping[int, str], *, title: str, mapped: str,
) -> Figure:  # fmt: skip
    """Plot rate against distortion, and what a code knows.

    Args:
        table: One row per method and size of code: `method` (autoencoder, PCA, pixels), `numbers`,
            and on the test images, in the mean over seeds and with standard deviations (`_sd`),
            `psnr` and `quantised_psnr` in dB and `accuracy`, from 0 to 1; NaN where there is none.
        places: Test images on the plane in which codes differ most: `x`, `y`, `label`, a number or
            empty.
        strips: Images on the way from one code to another, (strips, steps, h, w, c), in [0, 1].
        names: What a label is called; the number itself if it is not there.
        title: Heading of the figure.
        mapped: Heading of the map and the strips.

    Returns:
        A figure of four panels.
    """
    figure = Figure(figsize=(11.0, 8.6), layout="constrained")
    figure.suptitle(title)
    (quality, letters), (plane, way) = figure.subplots(2, 2)
    _draw_quality(quality, table)
    _draw_letters(letters, table)
    _draw_map(plane, places, names)
    plane.set(title=f"{mapped}: the plane of most variance", xticks=[], yticks=[])
    _draw_strips(way, strips)
    way.set(title=f"{mapped}: from one image to another", xticks=[], yticks=[])
    return figure


def _draw_quality(axes: Axes, table: pd.DataFrame) -> None:
    for method, colour in (("autoencoder", NETWORK), ("PCA", LINEAR)):
        rows = table[table["method"] == method]
        for column, style, what in (("psnr", "-", "32 bits"), ("quantised_psnr", "--", "8 bits")):
            axes.errorbar(rows["numbers"], rows[column], yerr=rows[f"{column}_sd"].fillna(0),
                          color=colour, linestyle=style, marker="o", markersize=4, capsize=3,
                          label=f"{method}, {what} per number")  # fmt: skip
    _finish(axes, table)
    axes.set(title="Rate against distortion", ylabel="PSNR on test images (dB)")


def _draw_letters(axes: Axes, table: pd.DataFrame) -> None:
    for method, colour in (("autoencoder", NETWORK), ("PCA", LINEAR)):
        rows = table[table["method"] == method]
        axes.errorbar(rows["numbers"], 100 * rows["accuracy"],
                      yerr=100 * rows["accuracy_sd"].fillna(0), color=colour, marker="o",
                      markersize=4, capsize=3, label=f"code of the {method}"
                      if method == "autoencoder" else method)  # fmt: skip
    pixels = table[table["method"] == "pixels"]
    if pixels["accuracy"].notna().any():
        axes.axhline(100 * pixels["accuracy"].iloc[0], color=PIXELS, linestyle=":",
                     label=f"all {pixels['numbers'].iloc[0]:,} numbers of the image")  # fmt: skip
    _finish(axes, table)
    axes.set(title="What a linear probe reads", ylabel="test images classified right (%)")


def _finish(axes: Axes, table: pd.DataFrame) -> None:
    sizes = sorted(set(table[table["method"] != "pixels"]["numbers"]))
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(one) for one in sizes])
    axes.set_xlabel("numbers in the code")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


def _draw_map(axes: Axes, places: pd.DataFrame, names: Mapping[int, str]) -> None:
    labels = sorted(set(places["label"].tolist()), key=str)
    for number, label in enumerate(labels):
        rows = places[places["label"] == label]
        colour = f"C{number % 10}"
        axes.scatter(rows["x"], rows["y"], s=7, color=colour, alpha=0.45, linewidths=0)
        if label != "":
            box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1}
            axes.text(rows["x"].median(), rows["y"].median(), names.get(int(label), str(label)),
                      fontsize=12, fontweight="bold", color=colour, ha="center", va="center",
                      bbox=box)  # fmt: skip


def _draw_strips(axes: Axes, strips: NDArray[np.float32]) -> None:
    rows = [np.concatenate([*strip], axis=1) for strip in strips]  # (h, steps w, c) each
    picture = np.clip(np.concatenate(rows, axis=0), 0, 1)
    if picture.shape[2] in (3, 4):
        axes.imshow(picture, interpolation="nearest")
    else:
        axes.imshow(picture.mean(axis=2), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
