"""Evaluate: the scores of all methods side by side, for every image, every class, and overall."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.metrics.copies import copies
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.npy import read_batches
from tasks.formats.tables import read_table, write_table
from tasks.one_thread import one_thread

if TYPE_CHECKING:
    import pandas as pd

    from autoencoders.metrics.summary import Draws

    Tables = dict[str, pd.DataFrame]

SIZE = 1 << 22
"""Bytes of images per batch."""


@stage
def evaluate(
    output: Output,
    scores: Mapping[str, ArtifactRef],
    levels: Mapping[str, ArtifactRef],
    facts: Mapping[str, ArtifactRef],
    clean: Mapping[str, ArtifactRef],
    labels: ArtifactRef,
    classes: ArtifactRef,
    against: Mapping[str, Sequence[str]],
    papers: Mapping[str, Any],
    resamples: int,
    seed: int,
) -> None:
    """Write what all methods reach, with 95 % intervals; of methods that were left out, nothing.

    `metrics.json` has the test images as a whole, `per_image.parquet` each of them; of images with
    labels, `per_class.csv` has each class; `groups.csv` has all images in one row, then each class;
    `extremes.csv` says which image is whose best, median and worst; and `robustness.csv`, if there
    are levels of noise, has one row per method and level.

    Args:
        output: Where they go.
        scores: By method, `scores.parquet` as `measure` writes it.
        levels: By method, `levels.parquet`.
        facts: By method, `facts.json`.
        clean: The `train` and the `test` images, float32 (n, h, w, c) each.
        labels: Those of the test images, int64 (n,); (0,) if they have none.
        classes: The name of each label, from 0 on; null where the numbers say it.
        against: By method, the others that it is compared with, image by image.
        papers: The `noise` and the `factor` of the level that is scored as papers do it: the mean
            of `rounded_psnr`.
        resamples: How many draws of the test images the intervals rest on.
        seed: The run's seed, which decides the draws.
    """
    from autoencoders.metrics.summary import Draws

    known = {name: json.loads(ref.path.read_bytes()) for name, ref in facts.items()}
    names = [name for name, one in known.items() if one["left_out"] is None]
    tables = {name: read_table(scores[name].path).set_index("image") for name in names}
    label = _named(np.load(labels.path), json.loads(classes.path.read_bytes()))
    copied = copies(*(read_batches(clean[split].path, SIZE) for split in ("test", "train")))
    draws = Draws(resamples, seed)
    with one_thread():
        metrics = _metrics(tables, known, copied, against, draws)
        curve = _curve({name: read_table(levels[name].path) for name in names}, draws)
        for name, one in _as_papers(curve, papers).items():
            metrics[name]["as_papers"] = one
        _write_classes(output, tables, metrics, label, draws)
    if curve:
        _write_csv(curve, output.folder / "robustness.csv")
    _write_csv(_extremes(tables), output.folder / "extremes.csv")
    write_table(_per_image(tables, label, len(copied)), output.folder / "per_image.parquet")
    text = json.dumps(metrics, indent=2, sort_keys=True, allow_nan=False)
    (output.folder / "metrics.json").write_text(f"{text}\n", encoding="utf-8")


def _named(labels: NDArray[np.int64], classes: list[str] | None) -> NDArray[Any]:
    """Return labels, or the names that they have."""
    return labels if classes is None else np.array(classes, object)[labels]


def _metrics(
    tables: "Tables",
    facts: Mapping[str, Mapping[str, Any]],
    copied: NDArray[np.bool_],
    against: Mapping[str, Sequence[str]],
    draws: "Draws",
) -> dict[str, Any]:
    """Return what `metrics.json` says of the test images as a whole."""
    from autoencoders.metrics.summary import compare, summarise

    metrics: dict[str, Any] = {
        "images": len(copied),
        "copies_of_train": int(copied.sum()),
        "left_out": {
            name: one["left_out"] for name, one in facts.items() if one["left_out"] is not None
        },
    }
    for name, table in tables.items():
        others = [other for other in against.get(name, ()) if other in tables]
        metrics[name] = {
            **summarise(table, draws),
            "spread": facts[name]["spread"]["restored"],
            "learned": facts[name]["learned"],
            "against": {other: compare(table, tables[other], draws) for other in others},
        }
        if len(table) == len(copied):  # of all test images, and so of every such method the same
            metrics["clean"] = {"spread": facts[name]["spread"]["clean"]}
        if copied.any() and not copied[table.index].all():
            metrics[name]["without_copies"] = summarise(table[~copied[table.index]], draws)
    return metrics


def _curve(levels: "Tables", draws: "Draws") -> list[dict[str, Any]]:
    """Return one row per method and level of noise."""
    from autoencoders.metrics.summary import flat, summarise

    rows = []
    for method, table in levels.items():
        for (noise, factor), scores in table.groupby(["noise", "factor"], sort=False):
            figures = flat(summarise(scores.drop(columns=["noise", "factor"]), draws))
            rows.append({"method": method, "noise": noise, "factor": factor, **figures})
    return rows


def _as_papers(
    curve: Sequence[Mapping[str, Any]], papers: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return by method the mean PSNR of images as papers measure it."""
    return {
        row["method"]: {
            "images": row["images"],
            "psnr": row["rounded_psnr"],
            "psnr_interval": _both(row["rounded_psnr_low"], row["rounded_psnr_high"]),
        }
        for row in curve
        if (row["noise"], row["factor"]) == (papers["noise"], papers["factor"])
    }


def _both(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]


def _write_classes(
    output: Output,
    tables: "Tables",
    metrics: Mapping[str, Any],
    label: NDArray[Any],
    draws: "Draws",
) -> None:
    """Write `groups.csv` and, of images with labels, `per_class.csv`."""
    from autoencoders.metrics.summary import by_class, group

    rows = by_class(tables, label, draws)
    if rows:
        _write_csv(rows, output.folder / "per_class.csv")
    overall = {name: metrics[name] for name in tables}
    _write_csv([group("all", metrics["images"], overall), *rows], output.folder / "groups.csv")


def _extremes(tables: "Tables") -> list[dict[str, Any]]:
    """Return one row per method and rank: which image, and its PSNR in dB."""
    from autoencoders.metrics.ranks import ranked

    return [
        {"method": method, "rank": rank, "image": table.index[place], "psnr": psnr[place]}
        for method, table in tables.items()
        for psnr in (table["psnr"].to_numpy(),)
        for rank, place in ranked(psnr).items()
    ]


def _per_image(tables: "Tables", label: NDArray[Any], count: int) -> "pd.DataFrame":
    """Return one row per test image, with NaN where a method was not scored on it."""
    import pandas as pd

    columns = [table.add_prefix(f"{method}_") for method, table in tables.items()]
    if len(label):
        columns.insert(0, pd.DataFrame({"label": label}))
    return pd.concat(columns, axis=1).reindex(range(count))


def _write_csv(rows: Sequence[Mapping[str, Any]], path: Any) -> None:
    import pandas as pd

    pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
