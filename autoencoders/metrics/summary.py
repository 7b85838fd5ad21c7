"""From the scores of single images to a few numbers with their 95 % intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoencoders.metrics.bootstrap import log_ratio_intervals, mean_intervals
from autoencoders.metrics.quality import ROUNDING_MSE, psnr
from autoencoders.randomness import generator

Figures = dict[str, Any]
"""By name of a metric, its value; by name and `_interval`, the low and the high end as a list.
None is for what has no number: JSON has no NaN."""
DECIBELS = 10 / np.log(10)
"""dB per unit of the natural logarithm of a ratio."""


@dataclass(frozen=True)
class Draws:
    """How images are drawn for intervals: the same draws for all methods."""

    times: int
    seed: int

    def rng(self) -> np.random.Generator:
        """Return the generator of the draws, at its start."""
        return generator(self.seed, "bootstrap")


def summarise(scores: pd.DataFrame, draws: Draws) -> Figures:
    """Reduce the scores of many images to one value per metric, with its interval.

    Args:
        scores: One row per image, one numeric column per metric; `psnr` needs `mse` beside it.
        draws: How images are drawn for the intervals.

    Returns:
        `images`, the number of images, and the mean of each column, None for one with NaN: the mean
        of the rest would look better for images that are too bad for a number. Only `psnr` differs:
        it is the dB of the mean MSE, the figure that papers quote; the mean of the images' own
        PSNR, which favours images restored almost exactly, is `psnr_mean`.
    """
    values = scores.to_numpy(np.float64)  # (n, k)
    # Of a class there may be no image among those that were drawn
    means = values.mean(axis=0) if len(values) else np.full(values.shape[1], np.nan)
    low, high = mean_intervals(values, draws.times, draws.rng())
    figures: Figures = {"images": len(scores)}
    for index, name in enumerate(scores.columns):
        ends = [low[index], high[index]]
        if name == "psnr":
            mse = figures["mse"]
            figures["psnr"] = None if mse is None else float(psnr(mse))
            interval = figures["mse_interval"]
            figures["psnr_interval"] = interval and [float(psnr(end)) for end in interval[::-1]]
            name = "psnr_mean"  # noqa: PLW2901
        figures[name] = _number(means[index])
        figures[f"{name}_interval"] = _interval(ends)
    return figures


def flat(figures: Figures) -> Figures:
    """Return figures as a row of a table: an interval as two, named `_low` and `_high`."""
    row: Figures = {}
    for name, value in figures.items():
        if name.endswith("_interval"):
            name = name.removesuffix("_interval")  # noqa: PLW2901
            row[f"{name}_low"], row[f"{name}_high"] = value or (None, None)
        else:
            row[name] = value
    return row


def compare(scores: pd.DataFrame, others: pd.DataFrame, draws: Draws) -> Figures:
    """Subtract another method's scores of the same images, image by image.

    What is hard for one method is hard for others too, so the interval of the difference is far
    narrower than those of the two values.

    Args:
        scores: One row per image, with its number as the index.
        others: The other method's; only images that both have are compared.
        draws: How images are drawn for the intervals.

    Returns:
        The same as `summarise`: value of `scores` less that of `others`; `psnr` in dB.
    """
    both = scores.index.intersection(others.index)
    ours, theirs = scores.loc[both], others.loc[both]
    figures = summarise((ours - theirs).rename(columns={"psnr": "psnr_mean"}), draws)
    errors = ours[["mse"]].to_numpy(), theirs[["mse"]].to_numpy()  # both (n, 1)
    means = [float(one.mean()) for one in errors]
    figures["psnr"] = _number(float(psnr(means[0]) - psnr(means[1])))
    figures["psnr_interval"] = None
    if min(means) > ROUNDING_MSE:  # at the cap there is nothing left to tell
        interval = log_ratio_intervals(*errors, draws.times, draws.rng())[:, 0]
        figures["psnr_interval"] = _interval(-DECIBELS * interval[::-1])
    return figures


def by_class(
    tables: Mapping[str, pd.DataFrame], labels: NDArray[Any], draws: Draws
) -> list[Figures]:
    """Summarise each class on its own.

    Args:
        tables: By method, the scores with the image's number as the index.
        labels: (n,) the class of each image; (0,) if there are none.
        draws: How images are drawn for the intervals.

    Returns:
        One `group` per class.
    """
    rows = []
    for label in np.unique(labels):
        figures = {
            method: summarise(table[labels[table.index] == label], draws)
            for method, table in tables.items()
        }
        rows.append(group(label, int((labels == label).sum()), figures))
    return rows


def group(label: Any, images: int, figures: Mapping[str, Figures]) -> Figures:
    """Return the figures of some images as one row of a table.

    Args:
        label: What they are called.
        images: How many there are.
        figures: By method, what `summarise` returns.

    Returns:
        `label`, `images`, and for each method and metric the value, and `_low` and `_high`, the
        ends of its interval; None where there is none.
    """
    row = {"label": label, "images": images}
    for method, one in figures.items():
        values = {name: value for name, value in flat(one).items() if _is_figure(value)}
        row |= {f"{method}_{name}": value for name, value in values.items()}
    return row


def _is_figure(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(ends: Any) -> list[float] | None:
    return [float(end) for end in ends] if np.isfinite(ends).all() else None
