"""IDX files, the form of MNIST and of the data sets that followed it.

Two zeros, the type of the values, the number of dimensions; each dimension in 4 bytes; then the
values, the most significant byte first.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tasks.formats.compression import described, opened
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, LabelFile, Part
from tasks.formats.label_arrays import label_values
from tasks.formats.layouts import check_end, layout_of, plain, read_exactly, stream_rows

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
MOST_LABELS = 1 << 28
"""Values that a file of labels may have."""


def is_idx(beginning: bytes) -> bool:
    """Return whether a file that begins so is an IDX file, by its first 4 bytes."""
    return len(beginning) >= 4 and beginning[:2] == b"\0\0" and (
        beginning[2] in TYPES and 1 <= beginning[3] <= 4
    )  # fmt: skip


def read_idx(path: Path) -> ImageFile:
    """Open an IDX file of images, plain or compressed.

    Raises:
        DataError: If it is none, or its dimensions are not those of images; while it is read, if it
            is cut short or goes on behind its last image.
    """
    with opened(path) as file:
        _, dimensions = idx_header(path, file)
    if len(dimensions) == 1:
        raise DataError(
            f"{path}: an IDX file of {dimensions[0]:,} single values: labels, not images.",
            "Give the file of images (its name holds idx3) in its place.",
        )
    layout = layout_of(path, dimensions, "the IDX file")

    def parts(rows: int) -> Iterator[Part]:
        with opened(path) as file:
            dtype, _ = idx_header(path, file)
            for pixels in stream_rows(path, file, dtype, layout, rows):
                yield Part(pixels, None)

    return ImageFile(
        described("IDX", path), layout.width, layout.shape, parts, count=layout.count,
        decisions=layout.decisions,
    )  # fmt: skip


def idx_labels(path: Path) -> LabelFile:
    """Read an IDX file of labels: one dimension, or rows of whole numbers of which the first is
    the class, as in QMNIST.

    Raises:
        DataError: If it is none, is cut short or too long, or holds images.
    """
    with opened(path) as file:
        dtype, dimensions = idx_header(path, file)
        if len(dimensions) > 2 or math.prod(dimensions) > MOST_LABELS:
            raise DataError(
                f"{path}: an IDX file of {' x '.join(map(str, dimensions))} values: images, not "
                "labels.",
                "Give the file of labels (its name holds idx1) in its place.",
            )
        size = math.prod(dimensions) * dtype.itemsize
        content = read_exactly(file, size)
        if len(content) < size:
            raise DataError(
                f"{path}: it is cut short: {dimensions[0]:,} labels were announced, and it ends "
                f"after {len(content) * dimensions[0] // max(1, size):,}.",
                "Copy or download it again, whole.",
            )
        check_end(path, file, f"{dimensions[0]:,} labels")
    values = plain(np.frombuffer(content, dtype).reshape(dimensions))
    form = described("IDX", path)
    if values.ndim == 2 and values.shape[1] > 1 and values.max(initial=0) > 1:
        form += f", the first of {values.shape[1]} numbers per image"
        values = values[:, 0]
    return LabelFile(form, label_values(path, values, "the IDX file"))


def idx_header(path: Path, file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Read the header; leave the file where the values begin."""
    beginning = file.read(4)
    if not is_idx(beginning):
        raise DataError(
            f"{path}: not an IDX file: it begins with {beginning.hex(' ') or 'nothing'}; expected "
            "00 00, a type from 08 to 0e and a number of dimensions.",
            "Copy or download it again.",
        )
    dimensions = file.read(4 * beginning[3])
    if len(dimensions) < 4 * beginning[3]:
        raise DataError(
            f"{path}: it is cut short within its header.", "Copy or download it again, whole."
        )
    return np.dtype(TYPES[beginning[2]]), struct.unpack(f">{beginning[3]}I", dimensions)
