"""Add noise: every image gets a noisy twin."""

from typing import TYPE_CHECKING

import numpy as np

from autoencoders.randomness import generator
from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage
from tasks.formats.npy import NpyWriter, read_batches

if TYPE_CHECKING:
    from autoencoders.settings import NoiseSettings

SIZE = 1 << 24
"""Bytes of images per batch."""


@stage
def add_noise(
    output: Output,
    images: ArtifactRef,
    split: str,
    seed: int,
    noise: "NoiseSettings",
    corrupt: FunctionRef,
) -> None:
    """Write `images.npy`: the images corrupted by `corrupt`, float32 in [0, 1].

    The noise of a split is one stream drawn from (seed, split), whatever the size of a batch.
    """
    output.require_space(images.size)
    rng = generator(seed, "noise", split)
    add = corrupt.load()
    shape = np.load(images.path, mmap_mode="r").shape  # (n, h, w, c)
    with NpyWriter(output.folder / "images.npy", shape, np.float32) as noisy:
        for batch in read_batches(images.path, SIZE):  # (m, h, w, c)
            noisy.write(add(batch, noise.factor, rng))
