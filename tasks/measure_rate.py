"""Measure a code: what an autoencoder keeps of images in so many numbers, and of letters."""

import json
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from autoencoders.metrics.rates import Quantiser, between, in_two_dimensions
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.keras_files import load_network
from tasks.formats.npy import write_array
from tasks.measure_linear_rates import accuracy
from tasks.one_thread import one_thread
from tasks.runtime import import_tensorflow

STRIPS, STEPS = 4, 10
"""How many pairs of images are joined by a line of codes, and how many codes a line has."""
MOST_MAPPED = 2000
"""Test images on the map."""

Apply = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@stage
def measure_rate(
    output: Output,
    network: ArtifactRef,
    images: Mapping[str, ArtifactRef],
    labels: Mapping[str, ArtifactRef],
    bits: int,
    threads: int,
) -> None:
    """Write what an autoencoder with a code makes of the test images.

    - `rate.json` has `numbers`, those of its code; the `mse` of the code and that of the code in so
      many bits per number, `quantised_mse`; and the `accuracy` of a linear probe of it, null
      without labels.
    - `map.csv` has the test images on the plane in which their codes differ most: `x`, `y`, and
      their `label`, empty without labels.
    - `strips.npy` has images on the way from one code to another, float32 (strips, steps, h, w, c).

    Args:
        output: Where they go.
        network: The autoencoder, with a layer called `code`.
        images: The `train` and the `test` images, float32 (n, h, w, c) each.
        labels: Theirs, int64 (n,) each; (0,) if they have none.
        bits: Bits of a number.
        threads: Threads per operation of TensorFlow.
    """
    import_tensorflow(threads, output.log)
    from autoencoders.models.bottleneck import halves
    from autoencoders.models.fused import applied

    encode, decode = (applied(half) for half in halves(load_network(network.path)))
    loaded = {split: np.load(ref.path, mmap_mode="r") for split, ref in images.items()}
    known = {split: np.load(ref.path) for split, ref in labels.items()}
    codes = {split: encode(one).astype(np.float64) for split, one in loaded.items()}
    rounded = Quantiser.of(codes["train"], bits)(codes["test"])
    rate = {
        "numbers": codes["test"].shape[1],
        "mse": _error(decode, codes["test"], loaded["test"]),
        "quantised_mse": _error(decode, rounded, loaded["test"]),
    }
    with one_thread():
        rate["accuracy"] = accuracy(codes, known)
        places = in_two_dimensions(codes["test"])
    (output.folder / "rate.json").write_text(json.dumps(rate, indent=1))
    _write_map(output, places, known["test"])
    lines = [between(codes["test"][a], codes["test"][b], STEPS)
             for a, b in _pairs(known["test"], len(places))]  # fmt: skip
    shape = loaded["test"].shape[1:]
    strips = decode(np.concatenate(lines).astype(np.float32))
    write_array(output.folder / "strips.npy", strips.reshape(len(lines), STEPS, *shape))


def _error(decode: Apply, codes: NDArray[np.float64], clean: NDArray[np.float32]) -> float:
    restored = decode(codes.astype(np.float32))
    return float(np.square(restored.astype(np.float64) - clean).mean())


def _write_map(output: Output, places: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    import pandas as pd

    table = pd.DataFrame(places, columns=["x", "y"])
    table["label"] = labels if len(labels) else ""
    shown = table[:MOST_MAPPED]
    shown.to_csv(output.folder / "map.csv", index=False, float_format="%.6g")


def _pairs(labels: NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """Return pairs of test images: of classes that follow one another, where there are classes."""
    first = [int(np.argmax(labels == one)) for one in np.unique(labels)] or list(range(count))
    first = first[: 2 * STRIPS]
    return [*zip(first[::2], first[1::2], strict=False)] or [(0, count - 1)]
