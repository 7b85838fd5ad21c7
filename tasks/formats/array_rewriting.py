"""Files of arrays written again with other images: `.npy`, `.npz` and IDX."""

import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tasks.formats.array_roles import find_roles
from tasks.formats.arrays import ENDING, StoredArray, array_header, bare_name
from tasks.formats.compressing import copy_member, like, wrapped_like
from tasks.formats.compression import opened
from tasks.formats.idx import TYPES, idx_header
from tasks.formats.layouts import Layout, layout_of

Parts = Iterable[NDArray[Any]]
"""The values of all images in order, (m, width) each."""


def rewrite_npy(path: Path, parts: Parts, target: BinaryIO) -> None:
    """Write an array of other images, of the same type and dimensions, compressed as it was."""
    with wrapped_like(path, target) as file:
        _write_array(array_header(path), parts, file)


def rewrite_npz(path: Path, sets: Mapping[str, Parts], target: BinaryIO) -> None:
    """Write an archive of arrays, with other images; its other arrays are copied.

    Args:
        path: The archive.
        sets: By train and test, or data, as `read_npz` calls them, the values of all images.
        target: Where it goes.
    """
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as made:
        arrays = {bare_name(one): array_header(path, one) for one in source.namelist()}
        roles = find_roles(path, {name: (one.dimensions, one.dtype)
                                  for name, one in arrays.items()})  # fmt: skip
        images = {role.images + ENDING: sets[split] for split, role in roles.items()}
        for member in source.infolist():
            if (parts := images.get(member.filename)) is None:
                copy_member(source, member, made)
                continue
            with made.open(like(member), "w", force_zip64=True) as file:
                _write_array(array_header(path, member.filename), parts, file)


def rewrite_idx(path: Path, parts: Parts, target: BinaryIO) -> None:
    """Write an IDX file of other images, of the same type and dimensions, compressed as it was."""
    with opened(path) as file:
        dtype, dimensions = idx_header(path, file)
    kind = next(number for number, name in TYPES.items() if np.dtype(name) == dtype)
    layout = layout_of(path, dimensions)
    with wrapped_like(path, target) as file:
        file.write(
            struct.pack(f">BBBB{len(dimensions)}I", 0, 0, kind, len(dimensions), *dimensions)
        )
        _write_values(parts, layout, dtype, file)


def _write_array(array: StoredArray, parts: Parts, file: Any) -> None:
    """Write an array in C order; NumPy reads it as the same array."""
    header = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.dimensions,
    }
    np.lib.format.write_array_header_1_0(file, header)
    _write_values(parts, layout_of(array.path, array.dimensions), array.dtype, file)


def _write_values(parts: Parts, layout: Layout, dtype: np.dtype[Any], file: Any) -> None:
    for part in parts:
        images = layout.unflattened(part).astype(dtype)
        file.write(np.ascontiguousarray(images).tobytes())
