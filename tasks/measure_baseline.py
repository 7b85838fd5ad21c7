"""Measure a classical method: learn what it needs from train images, then restore test images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.baselines.unsuitable import UnsuitableError
from autoencoders.randomness import generator
from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage
from tasks.formats.npy import read_rows
from tasks.formats.npz import write_arrays
from tasks.measuring import Exam, Test, draw_rows, measure, write_nothing
from tasks.one_thread import one_thread
from tasks.runtime import import_tensorflow

SIZE = 1 << 24
"""Bytes of train images per batch."""


@stage
def measure_baseline(
    output: Output,
    test: Test,
    exam: Exam,
    train: Mapping[str, ArtifactRef],
    fit: FunctionRef,
    restore: FunctionRef,
    learns_from: int,
    noise_factor: float | None,
    threads: int,
) -> None:
    """Write `learned.npz`, what the method has learned, and what `measure` says.

    Args:
        output: Where they go.
        test: Test images, float32 (n, h, w, c) each: `clean`, and `given`, as the method gets them.
        exam: How the method is measured.
        train: Train images, float32 (n, h, w, c) each: `clean`, and `given`, as the method gets
            them.
        fit: The function of that name of a module of `autoencoders.baselines`.
        restore: The other one.
        learns_from: From how many train images it learns at most, drawn by chance.
        noise_factor: The standard deviation of Gaussian noise, 0 without any; None for any other
            noise.
        threads: Threads per operation of TensorFlow; linear algebra runs in one.
    """
    import_tensorflow(threads, output.log)
    rows = draw_rows(train["clean"], learns_from, exam["seed"], "fit")
    given, clean = (read_rows(train[name].path, rows, SIZE) for name in ("given", "clean"))
    rng = generator(exam["seed"], "fit", "draws")
    with one_thread():
        try:
            learned = fit.load()(zip(given, clean, strict=True), noise_factor, rng)
        except UnsuitableError as error:
            write_arrays({}, output.folder / "learned.npz")
            write_nothing(output, exam, str(error))
            return
        write_arrays(learned, output.folder / "learned.npz")
        method = restore.load()
        measure(output, test, exam, lambda images: method(images, learned), _numbers(learned))


def _numbers(learned: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    return {name: float(value) for name, value in learned.items() if np.ndim(value) == 0}
