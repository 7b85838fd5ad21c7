"""Apply: what a classical method makes of images."""

import numpy as np

from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage
from tasks.formats.npy import NpyWriter, read_batches
from tasks.formats.npz import read_arrays

SIZE = 1 << 20
"""Bytes of images per batch; methods take some dozens of times as much."""


@stage
def apply(output: Output, images: ArtifactRef, method: FunctionRef, learned: ArtifactRef) -> None:
    """Write `images.npy`: the restored images, float32 of the shape of `images`.

    Args:
        output: Where it goes.
        images: What the method gets, float32 (n, h, w, c).
        method: The function `restore` of a module of `autoencoders.baselines`.
        learned: The arrays that it restores with.
    """
    output.require_space(images.size)
    restore, arrays = method.load(), read_arrays(learned.path)
    shape = np.load(images.path, mmap_mode="r").shape  # (n, h, w, c)
    done = 0
    with NpyWriter(output.folder / "images.npy", shape, np.float32) as restored:
        for batch in read_batches(images.path, SIZE):  # (m, h, w, c)
            restored.write(restore(batch, arrays))
            done += len(batch)
            output.progress(done / shape[0], f"{done:,} of {shape[0]:,} images")
