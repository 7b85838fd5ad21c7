"""Prepare: rows of byte pixels in Parquet become images in NPY."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from autoencoders.images.pixels import to_images
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.image_table import from_batch
from tasks.formats.npy import NpyWriter, batch_rows

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings

SIZE = 1 << 24
"""Bytes of images per batch: memory is a few batches, however many rows there are."""


@stage
def prepare(output: Output, table: ArtifactRef, image: "ImageSettings") -> None:
    """Write `images.npy`, float32 (n, height, width, channels) in [0, 1], and `labels.npy`,
    int64 (n,); both can be memory-mapped."""
    shape = (image.height, image.width, image.channels)
    with pq.ParquetFile(table.path, pre_buffer=False) as parquet:
        count = parquet.metadata.num_rows
        image_bytes = int(np.prod(shape)) * 4
        output.require_space(count * (image_bytes + 8))
        with (
            NpyWriter(output.folder / "images.npy", (count, *shape), np.float32) as images,
            NpyWriter(output.folder / "labels.npy", (count,), np.int64) as labels,
        ):
            for batch in parquet.iter_batches(batch_rows(image_bytes, SIZE)):
                pixels, label = from_batch(batch)  # (m, h * w * c) bytes, (m,)
                images.write(to_images(pixels, shape))
                labels.write(label.astype(np.int64))
