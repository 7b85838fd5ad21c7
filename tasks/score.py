"""Score: how close the images that one method restored are to the clean ones."""

import json
import math
from collections.abc import Mapping

from autoencoders.metrics.spread import Spread
from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage
from tasks.formats.npy import read_batches
from tasks.formats.tables import write_table
from tasks.runtime import import_tensorflow

SIZE = 1 << 22
"""Bytes of images per batch; the metrics take some dozens of times as much."""


@stage
def score(
    output: Output,
    clean: ArtifactRef,
    restored: ArtifactRef,
    metrics: Mapping[str, FunctionRef],
    threads: int,
) -> None:
    """Write `scores.parquet` and `spread.json`.

    The first has one row per image and one float64 column per metric. The second has how much the
    images differ from each other, clean and restored; of a network that always answers the same,
    the restored ones do not.

    Args:
        output: Where it goes.
        clean: The true images, float32 (n, h, w, c).
        restored: The images to score, of the same shape.
        metrics: By column, a function of clean and restored images that returns (n,) float64.
        threads: Threads per operation of TensorFlow.
    """
    import pandas as pd

    import_tensorflow(threads, output.log)
    measures = {name: metric.load() for name, metric in metrics.items()}
    spreads = {"clean": Spread(), "restored": Spread()}
    parts = []
    for true, found in zip(
        read_batches(clean.path, SIZE), read_batches(restored.path, SIZE), strict=True
    ):  # both (m, h, w, c)
        parts.append(
            pd.DataFrame({name: measure(true, found) for name, measure in measures.items()})
        )
        spreads["clean"].add(true)
        spreads["restored"].add(found)
    write_table(pd.concat(parts, ignore_index=True), output.folder / "scores.parquet")
    values = {name: spread.value() for name, spread in spreads.items()}
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    (output.folder / "spread.json").write_text(json.dumps(finite, indent=1), encoding="utf-8")
