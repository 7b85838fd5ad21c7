"""Profile: what images are like, in a few numbers each."""

import json

import numpy as np

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.npy import read_batches
from tasks.formats.tables import write_table

SIZE = 1 << 24
"""Bytes of images per batch."""


@stage
def profile(
    output: Output,
    clean: ArtifactRef,
    noisy: ArtifactRef,
    labels: ArtifactRef,
    classes: ArtifactRef,
) -> None:
    """Write `profile.parquet` and `class_counts.json`.

    The first has two float64 columns and one row per image: `ink`, the mean of its pixels, and
    `noise`, the standard deviation of the difference to its noisy twin. The second has how many
    images each class has, by its name; nothing of images without labels.

    Args:
        output: Where they go.
        clean: float32 (n, h, w, c) in [0, 1].
        noisy: Their noisy twins.
        labels: int64 (n,), or (0,).
        classes: The name of each label, from 0 on; null where the numbers say it.
    """
    import pandas as pd

    ink, noise = [], []
    for true, given in zip(
        read_batches(clean.path, SIZE), read_batches(noisy.path, SIZE), strict=True
    ):  # both (m, h, w, c)
        ink.append(true.mean(axis=(1, 2, 3), dtype=np.float64))
        noise.append((given - true).std(axis=(1, 2, 3), dtype=np.float64))
    table = pd.DataFrame({"ink": np.concatenate(ink), "noise": np.concatenate(noise)})
    write_table(table, output.folder / "profile.parquet")
    names = json.loads(classes.path.read_bytes())
    kinds, counts = np.unique(np.load(labels.path), return_counts=True)
    found = {
        str(kind if names is None else names[kind]): int(count)
        for kind, count in zip(kinds, counts, strict=True)
    }
    text = json.dumps(found, ensure_ascii=False, sort_keys=True)
    (output.folder / "class_counts.json").write_text(text, encoding="utf-8")
