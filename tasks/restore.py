"""Restore: what a trained network makes of images."""

import numpy as np

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.keras_files import load_network
from tasks.formats.npy import NpyWriter, read_batches
from tasks.runtime import import_tensorflow

SIZE = 1 << 22
"""Bytes of images per batch; the activations of a network take some dozens of times as much."""


@stage
def restore(output: Output, images: ArtifactRef, network: ArtifactRef, threads: int) -> None:
    """Write `images.npy`: the outputs of the network, float32 of the shape of `images`."""
    output.require_space(images.size)
    import_tensorflow(threads, output.log)
    from autoencoders.models.fused import predictor

    predict = predictor(load_network(network.path))
    shape = np.load(images.path, mmap_mode="r").shape  # (n, h, w, c)
    with NpyWriter(output.folder / "images.npy", shape, np.float32) as restored:
        for batch in read_batches(images.path, SIZE):  # (m, h, w, c)
            restored.write(predict(batch))
