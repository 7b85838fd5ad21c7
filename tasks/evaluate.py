"""Evaluate: the scores of all methods side by side, for every image, every class, and overall."""

import json
from collections.abc import Mapping

import numpy as np

from tasks.engine.handles import ArtifactRef, Output, stage


@stage
def evaluate(output: Output, scores: Mapping[str, ArtifactRef], labels: ArtifactRef) -> None:
    """Write `metrics.json`, `per_image.parquet` and `per_class.csv`.

    Args:
        output: Where they go.
        scores: By method, the scores of the test images.
        labels: Their labels, int64 (n,).
    """
    import pandas as pd

    from autoencoders.metrics.quality import summarise

    tables = {method: pd.read_parquet(ref.path) for method, ref in scores.items()}
    columns = [table.add_prefix(f"{method}_") for method, table in tables.items()]
    per_image = pd.concat([pd.Series(np.load(labels.path), name="label"), *columns], axis=1)
    per_image.rename_axis("image").to_parquet(output.folder / "per_image.parquet")

    per_class = per_image.groupby("label").mean()
    per_class.insert(0, "images", per_image.groupby("label").size())
    per_class.to_csv(output.folder / "per_class.csv", float_format="%.6f")

    summaries = {method: summarise(table) for method, table in tables.items()}
    metrics = {"images": len(per_image), **summaries}
    text = json.dumps(metrics, indent=2, sort_keys=True, allow_nan=False)
    (output.folder / "metrics.json").write_text(f"{text}\n", encoding="utf-8")
