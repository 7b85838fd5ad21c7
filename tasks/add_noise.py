"""Add noise: every image gets a noisy twin."""

from typing import TYPE_CHECKING

import numpy as np

from autoencoders.noise import add_gaussian_noise
from autoencoders.randomness import generator
from tasks.npy import NpyWriter, read_batches
from tasks.stage import stage
from tasks.store import ArtifactRef, Output

if TYPE_CHECKING:
    from autoencoders.settings import NoiseSettings

SIZE = 1 << 24
"""Bytes of images a batch."""


@stage
def add_noise(
    output: Output, images: ArtifactRef, split: str, seed: int, noise: "NoiseSettings"
) -> None:
    """Write `images.npy`: the images plus Gaussian noise, clipped to [0, 1], float32.

    The noise of a split is one stream drawn from (seed, split), whatever the size of a batch.
    """
    output.require_space(images.size)
    rng = generator(seed, "noise", split)
    shape = np.load(images.path, mmap_mode="r").shape
    with NpyWriter(output.folder / "images.npy", shape, np.float32) as noisy:
        for batch in read_batches(images.path, SIZE):
            noisy.write(add_gaussian_noise(batch, noise.factor, rng))
