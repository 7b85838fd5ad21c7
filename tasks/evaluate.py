"""Evaluate: the scores of all methods side by side, for every image, every class, and overall."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.tables import read_table, write_table


@stage
def evaluate(
    output: Output,
    scores: Mapping[str, ArtifactRef],
    spreads: Mapping[str, ArtifactRef],
    labels: ArtifactRef,
    classes: ArtifactRef,
) -> None:
    """Write `metrics.json`, `per_image.parquet` and, of images with labels, `per_class.csv`.

    Args:
        output: Where they go.
        scores: By method, the scores of the test images.
        spreads: By method, how much the clean and the restored test images differ.
        labels: Their labels, int64 (n,); (0,) if they have none.
        classes: The name of each label, from 0 on; null where the numbers say it.
    """
    import pandas as pd

    from autoencoders.metrics.quality import summarise

    tables = {method: read_table(ref.path) for method, ref in scores.items()}
    columns = [table.add_prefix(f"{method}_") for method, table in tables.items()]
    label = _named(np.load(labels.path), json.loads(classes.path.read_bytes()))
    if len(label):
        columns.insert(0, pd.DataFrame({"label": label}))
    per_image = pd.concat(columns, axis=1)
    write_table(per_image, output.folder / "per_image.parquet")
    if len(label):
        by_class = per_image.groupby("label")
        # Of a class with NaN none, as overall: without it, the class would look better for it
        per_class = by_class.mean().where(by_class.count().eq(by_class.size(), axis=0))
        per_class.insert(0, "images", by_class.size())
        per_class.to_csv(output.folder / "per_class.csv", float_format="%.6f")

    metrics: dict[str, Any] = {"images": len(per_image)}
    for method, table in tables.items():
        spread = json.loads(spreads[method].path.read_bytes())
        metrics[method] = {**summarise(table), "spread": spread["restored"]}
        metrics["clean"] = {"spread": spread["clean"]}  # of every method the same
    text = json.dumps(metrics, indent=2, sort_keys=True, allow_nan=False)
    (output.folder / "metrics.json").write_text(f"{text}\n", encoding="utf-8")


def _named(labels: NDArray[np.int64], classes: list[str] | None) -> NDArray[Any]:
    """Return labels, or the names that they have."""
    return labels if classes is None else np.array(classes, object)[labels]
