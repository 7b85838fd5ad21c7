"""Measure codes: how well linear codes of any size restore images, for an autoencoder's to be
measured against."""

from typing import Any

import numpy as np

from autoencoders.baselines.principal_components import errors_by_size
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.npy import read_batches
from tasks.formats.npz import read_arrays
from tasks.one_thread import one_thread

SIZE = 1 << 22
"""Bytes of images per batch."""


@stage
def measure_codes(output: Output, images: ArtifactRef, learned: ArtifactRef) -> None:
    """Write `linear_codes.csv`: `numbers`, the size of a code, from 0 on, and its `mse`.

    Args:
        output: Where it goes.
        images: The clean test images, float32 (n, h, w, c).
        learned: The principal components of train images; without any, the table has no row.
    """
    import pandas as pd

    arrays, count = read_arrays(learned.path), 0
    sums: Any = np.empty(0)
    if arrays:
        for batch in read_batches(images.path, SIZE):  # (m, h, w, c)
            with one_thread():
                errors = errors_by_size(batch, arrays) * len(batch)
            sums = sums + errors if count else errors
            count += len(batch)
    table = pd.DataFrame({"mse": sums / max(1, count)}).rename_axis("numbers")
    table.to_csv(output.folder / "linear_codes.csv", float_format="%.6g")
