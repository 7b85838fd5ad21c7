"""Mark: which images a network has learned from or was validated on, by content."""

from collections.abc import Mapping

import numpy as np

from autoencoders.images.fingerprint import fingerprints
from autoencoders.images.pixels import to_bytes
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.npy import read_batches, write_array

SIZE = 1 << 24
"""Bytes of images per batch."""


@stage
def mark_seen(output: Output, images: ArtifactRef, earlier: Mapping[str, ArtifactRef]) -> None:
    """Write `seen.npy`: the fingerprints of images, uint64 (m,), sorted, each once.

    Args:
        output: Where it goes.
        images: Train images, float32 (n, h, w, c); those held out for validation are among them.
        earlier: What networks have seen from whose weights the training goes on.
    """
    prints = [fingerprints(to_bytes(batch)) for batch in read_batches(images.path, SIZE)]
    prints += [np.load(ref.path) for ref in earlier.values()]
    write_array(output.folder / "seen.npy", np.unique(np.concatenate(prints)))
