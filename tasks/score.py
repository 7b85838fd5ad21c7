"""Score: how close the images that one method restored are to the clean ones."""

from collections.abc import Mapping

from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage
from tasks.formats.npy import read_batches
from tasks.runtime import import_tensorflow

SIZE = 1 << 22
"""Bytes of images per batch; the metrics take some dozens of times as much."""


@stage
def score(
    output: Output, clean: ArtifactRef, restored: ArtifactRef, metrics: Mapping[str, FunctionRef]
) -> None:
    """Write `scores.parquet`: one row per image, one float64 column per metric.

    Args:
        output: Where it goes.
        clean: The true images, float32 (n, h, w, c).
        restored: The images to score, of the same shape.
        metrics: By column, a function of clean and restored images that returns (n,) float64.
    """
    import pandas as pd

    import_tensorflow()
    measures = {name: metric.load() for name, metric in metrics.items()}
    parts = [
        pd.DataFrame({name: measure(true, found) for name, measure in measures.items()})
        for true, found in zip(
            read_batches(clean.path, SIZE), read_batches(restored.path, SIZE), strict=True
        )
    ]
    pd.concat(parts, ignore_index=True).to_parquet(output.folder / "scores.parquet")
