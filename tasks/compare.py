"""Compare finished runs from their files: image by image, and side by side on a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoencoders.images.gallery import as_shown, gallery_rows
from autoencoders.images.mosaic import mosaic
from autoencoders.metrics.paired import Gain, paired_gain
from autoencoders.randomness import generator
from autoencoders.report.comparison import comparison_page
from tasks.formats.data_uri import png_uri
from tasks.formats.tables import read_table


@dataclass(frozen=True)
class Gallery:
    """Where the images are that a run shows, at its own level of noise."""

    clean: Path
    """All test images, float32 (n, h, w, c)."""
    noisy: Path
    """`gallery.npy` of the noisy images."""
    denoised: Path
    """That of the denoiser."""
    levels: int
    """How many levels of noise they have."""
    shown: int
    """Which of them is that of the run."""
    noise: str
    """What it is called."""


def compare_images(first: Path, others: Sequence[Path], method: str) -> list[Gain | None]:
    """Compare what a method makes of the same test images in several runs.

    Args:
        first: `per_image.parquet` of the run that others are compared with.
        others: Those of the others.
        method: Its name there.

    Returns:
        One per other run; None where either has no scores, or not of as many images.
    """
    column = f"{method}_mse"
    ours = read_table(first).get(column)
    gains: list[Gain | None] = []
    for path in others:
        theirs = read_table(path).get(column)
        if ours is None or theirs is None or len(ours) != len(theirs):
            gains.append(None)
            continue
        both = pd.DataFrame({"theirs": theirs, "ours": ours}).dropna()
        rng = generator(0, "compare")
        gains.append(paired_gain(both["theirs"].to_numpy(), both["ours"].to_numpy(), rng))
    return gains


def draw_comparison(
    facts: Mapping[str, Any],
    histories: Mapping[str, Mapping[str, Path]],
    curves: Mapping[str, Path],
    galleries: Mapping[str, Gallery],
) -> str:
    """Return the page that compares runs.

    Args:
        facts: What it says in words and tables.
        histories: By network and run, its losses.
        curves: By run, `robustness.csv`.
        galleries: By run, its gallery; all of the same test images.
    """
    losses = {
        network: {run: pd.read_csv(path) for run, path in by_run.items()}
        for network, by_run in histories.items()
    }
    tables = {run: pd.read_csv(path, keep_default_na=False) for run, path in curves.items()}
    strips, numbers = _strips(galleries)
    return comparison_page(facts, losses, tables, strips, numbers)


def _strips(galleries: Mapping[str, Gallery]) -> tuple[list[dict[str, str]], list[str]]:
    """Return rows of the images that all runs show, and their numbers."""
    if not galleries:
        return [], []
    clean = np.load(next(iter(galleries.values())).clean, mmap_mode="r")
    shown = {run: gallery_rows(clean.shape, one.levels) for run, one in galleries.items()}
    common = sorted(set.intersection(*({*rows.tolist()} for rows in shown.values())))
    noisy = {run: _images(one, one.noisy, shown[run], common) for run, one in galleries.items()}
    first, *others = noisy.values()
    together = all(np.array_equal(first, other) for other in others)
    rows = [_strip("real", "", as_shown(clean[common]))]
    if together:
        rows.append(_strip("noisy", next(iter(galleries.values())).noise, first))
    for run, one in galleries.items():
        if not together:
            rows.append(_strip(f"{run} noisy", one.noise, noisy[run]))
        denoised = _images(one, one.denoised, shown[run], common)
        rows.append(_strip(f"{run} denoised", "", denoised))
    return rows, [f"{image + 1:,}" for image in common]


def _images(
    gallery: Gallery, path: Path, shown: NDArray[np.int64], wanted: Sequence[int]
) -> NDArray[np.uint8]:
    """Return some of the images that a run shows, uint8 (n, h, w, c), at its level of noise."""
    images: NDArray[np.uint8] = np.load(path)[gallery.shown][np.searchsorted(shown, wanted)]
    return images


def _strip(name: str, note: str, images: Any) -> dict[str, str]:
    return {"name": name, "note": note, "image": png_uri(mosaic(images, len(images))),
            "alt": f"{len(images)} test images in a row: {name} {note}".strip()}  # fmt: skip
