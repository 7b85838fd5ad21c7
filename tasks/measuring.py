"""How a method is measured, and what is kept of it: what the stages that score share."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.gallery import as_shown, gallery_rows
from autoencoders.metrics.ranks import ranked
from autoencoders.metrics.spread import Spread
from autoencoders.randomness import generator
from tasks.engine.handles import ArtifactRef, FunctionRef, Output
from tasks.formats.npy import read_rows, write_array
from tasks.formats.tables import write_table

if TYPE_CHECKING:
    import pandas as pd

Images = NDArray[np.float32]
Pairs = Iterator[tuple[Images, Images]]
Restore = Callable[[Images], Images]
SIZE = 1 << 22
"""Bytes of images per batch; methods and metrics take some dozens of times as much."""
FIRST = 10
"""Restored images that are kept to be shown, from the first on."""


Test = Mapping[str, ArtifactRef]
"""Test images: `clean`, float32 (n, h, w, c), and `given`, what the method gets of them, alike."""


class Exam(TypedDict):
    """How a method is measured."""

    images: int
    """How many of the test images are scored, drawn by chance; 0 for all."""
    metrics: Mapping[str, FunctionRef]
    """By column, a function of clean and restored images that returns (n,) float64."""
    corruptions: Mapping[str, FunctionRef]
    """By name, noise that is tried at every level; none if it is the user's own."""
    factors: Sequence[float]
    """These levels."""
    curve_images: int
    """How many test images are tried at each of them."""
    curve_metrics: Mapping[str, FunctionRef]
    """Further metrics of these."""
    seed: int
    """The run's seed; noise at one level is that at another one, but for its strength."""


def measure(
    output: Output, test: Test, exam: Exam, restore: Restore, learned: Mapping[str, float]
) -> None:
    """Write what a method makes of the test images, as scores and as some pictures.

    - `scores.parquet` has one row per image that was scored: `image`, its row among the test
      images, from 0, and a float64 column per metric.
    - `levels.parquet` has the same of some images at other levels of noise: `noise`, its name,
      `factor`, and the metrics.
    - `first.npy` has the first test images as restored, float32 (m, h, w, c).
    - `extremes.npy` has the best, the median and the worst image, each clean and restored,
      float32 (6, h, w, c).
    - `gallery.npy` has some test images at each level of the first noise, or as they are if there
      is none, as restored and as a page shows them, uint8 (levels, n, h, w, 3).
    - `facts.json` has how much images differ from each other, clean and restored (of a network
      that always answers the same, the restored ones do not); what was learned, as far as it is
      single numbers; and why the method was left out, here null.

    Args:
        output: Where they go.
        test: The test images.
        exam: How the method is measured.
        restore: The method: from given to restored images.
        learned: Single numbers that it has learned.
    """
    rows = draw_rows(test["clean"], exam["images"], exam["seed"], "sample")
    measures = {name: metric.load() for name, metric in exam["metrics"].items()}
    spreads = {"clean": Spread(), "restored": Spread()}
    scores = _score(output, test, restore, rows, measures, spreads)
    write_table(scores, output.folder / "scores.parquet")
    _write_pictures(output, test, restore, rows, ranked(scores["psnr"].to_numpy()))
    write_array(output.folder / "gallery.npy", np.stack([*_gallery(test, exam, restore)]))
    measures |= {name: metric.load() for name, metric in exam["curve_metrics"].items()}
    levels = list(_score_levels(test["clean"], exam, restore, measures))
    _write_levels(output, levels)
    _write_facts(output, spreads, learned, None)


def write_nothing(output: Output, exam: Exam, reason: str) -> None:
    """Write the files of `measure`, without a row, for a method that is left out for a reason."""
    import pandas as pd

    empty = pd.DataFrame({name: np.empty(0) for name in ("image", *exam["metrics"])})
    write_table(empty, output.folder / "scores.parquet")
    for name in ("first.npy", "extremes.npy"):
        write_array(output.folder / name, np.empty((0, 1, 1, 1), np.float32))
    write_array(output.folder / "gallery.npy", np.empty((0, 0, 1, 1, 3), np.uint8))
    _write_levels(output, [])
    _write_facts(output, {}, {}, reason)


def draw_rows(images: ArtifactRef, most: int, seed: int, purpose: str) -> NDArray[np.int64]:
    """Return rows of an array in their order: at most so many, or all of them if that is 0.

    They are drawn by chance, since files may be sorted by class.
    """
    total: int = np.load(images.path, mmap_mode="r").shape[0]
    if most == 0 or most >= total:
        return np.arange(total)
    return np.sort(generator(seed, purpose).choice(total, most, replace=False)).astype(np.int64)


def _score(
    output: Output,
    test: Test,
    restore: Restore,
    rows: NDArray[np.int64],
    measures: Mapping[str, Callable[..., Any]],
    spreads: Mapping[str, Spread],
) -> "pd.DataFrame":
    """Return the scores of these test images, and add them to the spreads."""
    import pandas as pd

    parts, done = [], 0
    for true, found in _pairs(test, restore, rows):  # both (m, h, w, c)
        parts.append(_scores(measures, true, found))
        spreads["clean"].add(true)
        spreads["restored"].add(found)
        done += len(true)
        output.progress(done / len(rows), f"{done:,} of {len(rows):,} images")
    scores = pd.concat(parts, ignore_index=True)
    scores.insert(0, "image", rows)
    return scores


def _pairs(test: Test, restore: Restore, rows: NDArray[np.int64]) -> Pairs:
    """Yield batches of clean and restored images."""
    true, given = (read_rows(test[name].path, rows, SIZE) for name in ("clean", "given"))
    for clean, images in zip(true, given, strict=True):
        yield clean, restore(images)


def _write_pictures(
    output: Output,
    test: Test,
    restore: Restore,
    rows: NDArray[np.int64],
    ranks: Mapping[str, int],
) -> None:
    """Write the first images, and those at these places of `rows`."""
    total: int = np.load(test["clean"].path, mmap_mode="r").shape[0]
    first = [found for _, found in _pairs(test, restore, np.arange(min(FIRST, total)))]
    write_array(output.folder / "first.npy", np.concatenate(first))
    pairs = [next(_pairs(test, restore, rows[[place]])) for place in ranks.values()]
    write_array(
        output.folder / "extremes.npy", np.concatenate([one for pair in pairs for one in pair])
    )


def _gallery(test: Test, exam: Exam, restore: Restore) -> Iterator[NDArray[np.uint8]]:
    """Yield the images of the gallery at each level, as they are shown."""
    clean, given = (np.load(test[name].path, mmap_mode="r") for name in ("clean", "given"))
    levels = exam["factors"] if exam["corruptions"] else []
    rows = gallery_rows(clean.shape, max(1, len(levels)))
    for name in list(exam["corruptions"])[:1]:
        corrupt = exam["corruptions"][name].load()
        for level in levels:
            rng = generator(exam["seed"], "noise", "gallery")
            yield as_shown(restore(corrupt(clean[rows], level, rng)))
    if not exam["corruptions"]:
        yield as_shown(restore(given[rows]))


def _score_levels(
    clean: ArtifactRef, exam: Exam, restore: Restore, measures: Mapping[str, Callable[..., Any]]
) -> "Iterator[pd.DataFrame]":
    """Yield the scores of the same images at every level of every noise."""
    rows = draw_rows(clean, exam["curve_images"], exam["seed"], "curve")
    factors = exam["factors"]
    for name, corruption in exam["corruptions"].items():
        corrupt = corruption.load()
        rngs = [generator(exam["seed"], "noise", "curve") for _ in factors]
        for true in read_rows(clean.path, rows, SIZE // len(factors)):  # (m, h, w, c)
            # All levels at once: a call for each would take most of the time
            given = [corrupt(true, *level) for level in zip(factors, rngs, strict=True)]
            restored = restore(np.concatenate(given))
            scores = _scores(measures, np.concatenate([true] * len(factors)), restored)
            yield scores.assign(noise=name, factor=np.repeat(factors, len(true)))


def _scores(
    measures: Mapping[str, Callable[..., Any]], clean: Images, restored: Images
) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({name: function(clean, restored) for name, function in measures.items()})


def _write_levels(output: Output, levels: "Iterable[pd.DataFrame]") -> None:
    import pandas as pd

    empty = pd.DataFrame({"noise": np.empty(0, object), "factor": np.empty(0)})
    table = pd.concat(parts, ignore_index=True) if (parts := list(levels)) else empty
    write_table(table, output.folder / "levels.parquet")


def _write_facts(
    output: Output,
    spreads: Mapping[str, Spread],
    learned: Mapping[str, float],
    left_out: str | None,
) -> None:
    values = {name: spread.value() for name, spread in spreads.items()}
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    facts = {"spread": finite, "learned": dict(learned), "left_out": left_out}
    (output.folder / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
