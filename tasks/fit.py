"""Fit: what a classical method learns from train images."""

import numpy as np

from autoencoders.randomness import generator
from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage
from tasks.formats.npy import read_rows
from tasks.formats.npz import write_arrays

SIZE = 1 << 24
"""Bytes of images per batch."""


@stage
def fit(
    output: Output,
    given: ArtifactRef,
    clean: ArtifactRef,
    method: FunctionRef,
    images: int,
    noise_factor: float,
    seed: int,
) -> None:
    """Write `learned.npz`: the arrays that the method restores images with.

    Args:
        output: Where it goes.
        given: Train images as the method will get them, float32 (n, h, w, c).
        clean: The same images, clean.
        method: The function `fit` of a module of `autoencoders.baselines`.
        images: How many of them it learns from at most; drawn by chance, in their order.
        noise_factor: Strength of the noise.
        seed: The run's seed.
    """
    rng = generator(seed, "fit")
    count = np.load(clean.path, mmap_mode="r").shape[0]
    rows = np.sort(rng.choice(count, min(images, count), replace=False))
    pairs = zip(read_rows(given.path, rows, SIZE), read_rows(clean.path, rows, SIZE), strict=True)
    write_arrays(method.load()(pairs, noise_factor, rng), output.folder / "learned.npz")
