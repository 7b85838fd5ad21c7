"""Choose: the images that none of some networks has seen."""

import json
from collections.abc import Mapping

import numpy as np

from autoencoders.images.fingerprint import fingerprints
from autoencoders.images.pixels import to_bytes
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.npy import NpyWriter, read_batches, read_rows, write_array

SIZE = 1 << 24
"""Bytes of images per batch."""


@stage
def choose_unseen(
    output: Output,
    images: Mapping[str, ArtifactRef],
    labels: ArtifactRef,
    seen: Mapping[str, ArtifactRef],
) -> None:
    """Write the images that are in none of `seen`, each once, in their order.

    `clean.npy`, and `noisy.npy` where there are noisy twins, float32 (m, h, w, c); `labels.npy`,
    int64 (m,), or (0,) of images without labels; `counts.json`: of how many `images`, how many are
    `copies` of another one, how many were `seen`, and how many are `left`.

    Args:
        output: Where they go.
        images: `clean`, and `noisy` where there are twins, float32 (n, h, w, c).
        labels: int64 (n,), or (0,).
        seen: The fingerprints of what networks have seen.
    """
    parts = [fingerprints(to_bytes(batch)) for batch in read_batches(images["clean"].path, SIZE)]
    prints = np.concatenate(parts)
    first = np.zeros(len(prints), bool)
    first[np.unique(prints, return_index=True)[1]] = True  # a copy tells nothing more
    known = np.zeros(len(prints), bool)
    for ref in seen.values():
        known |= np.isin(prints, np.load(ref.path))
    rows = np.flatnonzero(first & ~known)
    for kind, ref in images.items():
        shape = np.load(ref.path, mmap_mode="r").shape
        target = output.folder / f"{kind}.npy"
        with NpyWriter(target, (len(rows), *shape[1:]), np.float32) as chosen:
            for batch in read_rows(ref.path, rows, SIZE):  # (m, h, w, c)
                chosen.write(batch)
    given = np.load(labels.path)
    write_array(output.folder / "labels.npy", given[rows] if len(given) else given)
    counts = {"images": len(prints), "copies": int((~first).sum()),
              "seen": int((first & known).sum()), "left": len(rows)}  # fmt: skip
    (output.folder / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
