"""Measure linear codes: what principal components of any size keep of images, and of letters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.baselines.principal_components import fit
from autoencoders.metrics.rates import Probe, Quantiser
from autoencoders.randomness import generator
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.npy import read_batches
from tasks.one_thread import one_thread

SIZE = 1 << 24
"""Bytes of images per batch."""


@stage
def measure_linear_rates(
    output: Output,
    images: Mapping[str, ArtifactRef],
    labels: Mapping[str, ArtifactRef],
    sizes: Sequence[int],
    bits: int,
) -> None:
    """Write `rates.csv`: of each size of code, its `numbers`; on the test images, the `mse` of the
    code and that of the code in so many bits per number, `quantised_mse`; and the `accuracy` of a
    linear probe of it, also of all pixels, in a row without `mse`. Without labels there is none.

    What is restored is not clipped to the range of pixels, so the errors are those of any principal
    component analysis.

    Args:
        output: Where it goes.
        images: The `train` and the `test` images, float32 (n, h, w, c) each.
        labels: Theirs, int64 (n,) each; (0,) if they have none.
        sizes: Numbers of the codes.
        bits: Bits of a number.
    """
    import pandas as pd

    flat = {split: _flat(ref) for split, ref in images.items()}
    known = {split: np.load(ref.path) for split, ref in labels.items()}
    with one_thread():
        batches = ((one, one) for one in read_batches(images["train"].path, SIZE))
        learned = fit(batches, 0.0, generator(0, "linear rates"))
        rows = [_row(flat, known, learned, size, bits) for size in sizes]
        rows.append({"numbers": flat["test"].shape[1], "accuracy": accuracy(flat, known)})
    pd.DataFrame(rows).to_csv(output.folder / "rates.csv", index=False, float_format="%.7g")


def _row(
    flat: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]],
    learned: Mapping[str, NDArray[Any]], size: int, bits: int,
) -> dict[str, Any]:  # fmt: skip
    mean, axes = learned["mean"], learned["components"][:size]  # (size, pixels)
    codes = {split: (one - mean) @ axes.T for split, one in flat.items()}  # (n, size)
    rounded = Quantiser.of(codes["train"], bits)(codes["test"])
    errors = [
        float(np.square(one @ axes + mean - flat["test"]).mean())
        for one in (codes["test"], rounded)
    ]
    return {"numbers": size, "mse": errors[0], "quantised_mse": errors[1],
            "accuracy": accuracy(codes, labels)}  # fmt: skip


def accuracy(
    features: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]]
) -> float | None:
    """Return which share of test images a linear probe classifies right; None without labels."""
    if not all(len(one) for one in labels.values()):
        return None
    probe = Probe.fit(features["train"], labels["train"])
    return probe.accuracy(features["test"], labels["test"])


def _flat(ref: ArtifactRef) -> NDArray[np.float64]:
    images = np.load(ref.path)
    return np.asarray(images.reshape(len(images), -1), np.float64)
