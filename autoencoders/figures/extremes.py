"""The best, the median and the worst image of every method, with what is wrong in them."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autoencoders.figures.image_rows import GROUND, beside, stacked, thinned

ERRORS = matplotlib.colormaps["magma"]
CELL = 0.8
"""Inches per side of a shown image."""
BESIDE = 0.08
"""Room between two images side by side, in units of their width."""
BELOW = 0.28
"""Room below an image for its number, in units of its height."""


def extremes(files: Mapping[str, Any], *, title: str) -> Figure:
    """Show clean image, restored image and absolute error of chosen images.

    Args:
        files: `extremes`, a table with the columns method, rank, image and psnr (dB), every method
            with the same ranks in the same order; and for each method's name its images, float32
            (2 * ranks, h, w, c) in [0, 1]: of each rank the clean and the restored one. Those of
            methods that are not in the table are left out.
        title: Heading of the figure.

    Returns:
        A figure with one row per method and, for each rank, a panel of three columns.
    """
    table: pd.DataFrame = files["extremes"]
    methods, ranks = (list(dict.fromkeys(table[name])) for name in ("method", "rank"))
    images = np.stack(
        [[thinned(one) for one in files[method]] for method in methods]
    )  # (methods, 2 * ranks, h, w, c)
    height, width = images.shape[2:4]
    inches = CELL / width  # per pixel
    size = 3.3 * CELL * len(ranks) + 1.4, inches * height * (1 + BELOW) * len(methods) + 1.7
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(ranks), squeeze=False)[0]
    for number, (axes, rank) in enumerate(zip(panels, ranks, strict=True)):
        tops = _show(axes, images[:, 2 * number], images[:, 2 * number + 1])
        axes.set_title(f"{rank}\nclean, restored, error", fontsize=9)
        _label(axes, table[table["rank"] == rank], tops, height, width)
    panels[0].set_yticks(np.array(tops) + height / 2, methods)
    scale = ScalarMappable(cmap=ERRORS)  # from 0 to 1
    scale.set_clim(0, 1)
    figure.colorbar(scale, ax=panels, location="bottom", shrink=0.4, aspect=40, pad=0.01,
                    label="absolute error (pixel range = 1), mean of channels")  # fmt: skip
    return figure


def _show(axes: Axes, clean: NDArray[np.float32], restored: NDArray[np.float32]) -> list[int]:
    """Show a row per image, in one picture: a panel each would take minutes; return their tops."""
    _, height, width, _ = clean.shape
    gap, below = max(1, round(BESIDE * width)), max(1, round(BELOW * height))
    errors = np.abs(restored - clean).mean(axis=3)  # (n, h, w)
    lines = [
        np.concatenate([
            beside(pair, 2, gap, (height, width)), np.full((height, gap, 3), GROUND, np.float32),
            ERRORS(error)[:, :, :3].astype(np.float32),
        ], axis=1)
        for *pair, error in zip(clean, restored, errors, strict=True)
    ]  # fmt: skip
    picture, tops = stacked(lines, below)
    axes.imshow(picture, interpolation="nearest",
                extent=(0, picture.shape[1], picture.shape[0], 0))  # fmt: skip
    bottom, right = picture.shape[0] + below, picture.shape[1] + gap
    axes.set(facecolor=str(GROUND), xticks=[], yticks=[], xlim=(-gap, right), ylim=(bottom, -gap))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return tops


def _label(axes: Axes, rows: pd.DataFrame, tops: list[int], height: int, width: int) -> None:
    """Say below each restored image which one it is, and how good."""
    middle = sum(axes.get_xlim()) / 2
    for psnr, image, top in zip(rows["psnr"], rows["image"], tops, strict=True):
        said = f"{float(psnr):.1f} dB, no. {int(image):,}"
        below = top + height * (1 + BELOW / 2)
        axes.text(middle, below, said, fontsize=7, ha="center", va="center")
