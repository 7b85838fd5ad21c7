"""Prepare: rows of byte pixels in Parquet become images in NPY."""

import json

import numpy as np

from autoencoders.images.pixels import to_images
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.image_table import read_image_table
from tasks.formats.npy import NpyWriter, batch_rows

SIZE = 1 << 24
"""Bytes of images per batch: memory is a few batches, however many rows there are."""


@stage
def prepare(output: Output, table: ArtifactRef) -> None:
    """Write `images.npy`, float32 (n, height, width, channels) in [0, 1]; `labels.npy`, int64 (n,),
    or (0,) for images without labels; and `classes.json`, the names of the labels, or null where
    their numbers say it. Both arrays can be memory-mapped."""
    rows = read_image_table(table.path)
    image_bytes = int(np.prod(rows.shape)) * 4
    output.require_space(rows.count * (image_bytes + 8))
    labelled = rows.count if rows.labelled else 0
    with (
        NpyWriter(output.folder / "images.npy", (rows.count, *rows.shape), np.float32) as images,
        NpyWriter(output.folder / "labels.npy", (labelled,), np.int64) as labels,
    ):
        for pixels, label in rows.batches(batch_rows(image_bytes, SIZE)):
            images.write(to_images(pixels, rows.shape))  # of (m, h * w * c) bytes
            if label is not None:
                labels.write(label.astype(np.int64))
    text = json.dumps(rows.classes, ensure_ascii=False)
    (output.folder / "classes.json").write_text(f"{text}\n", encoding="utf-8")
