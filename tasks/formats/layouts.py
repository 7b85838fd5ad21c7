"""How the axes of an array lie: which of them count images, rows, columns and channels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tasks.formats.errors import DataError

MOST_CHANNELS = 4
SMALLEST, LARGEST = 4, 4096
"""Pixels per side of an image."""
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """What the axes of an array of images are."""

    dimensions: tuple[int, ...]
    """Of the array, the images first."""
    shape: Shape | None
    """(height, width, channels); None for rows of values."""
    planes: bool = False
    """Whether the channels come before height and width, as in (n, 3, 32, 32)."""

    @property
    def count(self) -> int:
        """Number of images."""
        return self.dimensions[0]

    @property
    def width(self) -> int:
        """Values per image."""
        return math.prod(self.dimensions[1:])

    @property
    def decisions(self) -> tuple[tuple[str, str, str], ...]:
        """What was decided by looking at the dimensions."""
        if not self.planes:
            return ()
        sizes = " x ".join(f"{size:,}" for size in self.dimensions)
        return (("channels before rows and columns", f"the array is {sizes}", ""),)

    def rows(self, images: NDArray[Any]) -> NDArray[Any]:
        """Flatten some images, (m, *dimensions[1:]), to (m, width), pixel by pixel."""
        if self.planes:
            images = np.moveaxis(images, 1, -1)
        return images.reshape(len(images), self.width)

    def unflattened(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Undo `rows`: bring (m, width) to (m, *dimensions[1:])."""
        if self.planes:
            height, width, channels = self.shape or (1, 1, 1)
            return np.moveaxis(rows.reshape(-1, height, width, channels), -1, 1)
        return rows.reshape(len(rows), *self.dimensions[1:])


def layout_of(path: Path, dimensions: tuple[int, ...], name: str = "the array") -> Layout:
    """Say what the axes of an array are.

    Args:
        path: The file that it is in.
        dimensions: Of the array, by what the file says.
        name: What a message calls it.

    Raises:
        DataError: If it cannot be images, or its images do not lie along the first axis.
    """
    sizes = " x ".join(f"{size:,}" for size in dimensions) or "a single value"
    said = f"{path}: {name} is {sizes}; expected (n, values), (n, height, width), (n, height, "
    said += "width, channels) or (n, channels, height, width)"
    if len(dimensions) < 2 or len(dimensions) > 4:
        raise DataError(f"{said}.", "Reshape it to one of these in NumPy, and save it again.")
    if dimensions[0] == 0:
        raise DataError(f"{path}: {name} is {sizes}: there is no image in it.", "Get it again.")
    layout = _layout(dimensions)
    if layout is None and _are_images_last(dimensions):
        raise DataError(
            f"{said}. The images seem to lie along the last axis.",
            "Put them first and save it again: np.save(FILE, np.moveaxis(images, -1, 0)). If the "
            "first axis does count them, flatten each: images.reshape(len(images), -1), and give "
            "--image.height and --image.width.",
        )
    if layout is None:
        raise DataError(
            f"{said}, each side from {SMALLEST} to {LARGEST:,} and at most {MOST_CHANNELS} "
            "channels.",
            "Bring it to such a form in NumPy, and save it again.",
        )
    return layout


def _layout(dimensions: tuple[int, ...]) -> Layout | None:
    if len(dimensions) == 2:
        return Layout(dimensions, None) if dimensions[1] else None
    if len(dimensions) == 3:
        _, height, width = dimensions
        good = _are_sides(height, width) and not _are_images_last(dimensions)
        return Layout(dimensions, (height, width, 1)) if good else None
    _, first, second, third = dimensions
    if 1 <= third <= MOST_CHANNELS and _are_sides(first, second):
        return Layout(dimensions, (first, second, third))
    if 1 <= first <= MOST_CHANNELS and _are_sides(second, third):
        return Layout(dimensions, (second, third, first), planes=True)
    return None


def _are_sides(*sides: int) -> bool:
    return all(SMALLEST <= side <= LARGEST for side in sides)


def _are_images_last(dimensions: tuple[int, ...]) -> bool:
    """Return whether it looks like (h, w, n) or (h, w, c, n), as MATLAB writes images."""
    *sides, last = dimensions
    if len(sides) == 3:
        return _are_sides(*sides[:2]) and 1 <= sides[2] <= MOST_CHANNELS < last
    return len(sides) == 2 and sides[0] == sides[1] != last and _are_sides(*sides)


def plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as this machine counts: in its order of bytes, yes and no as 1 and 0."""
    if values.dtype == np.bool_:
        return values.view(np.uint8)
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        return values.astype(np.float64)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def stream_rows(
    path: Path, file: BinaryIO, dtype: np.dtype[Any], layout: Layout, rows: int
) -> Iterator[NDArray[Any]]:
    """Yield flattened images, (m, width) with m at most `rows`, from a stream that begins here.

    Raises:
        DataError: If the file ends too early, or goes on behind the last image.
    """
    each = layout.width * dtype.itemsize
    for start in range(0, layout.count, rows):
        count = min(rows, layout.count - start)
        content = read_exactly(file, count * each)
        if len(content) < count * each:
            whole = start + len(content) // each
            raise DataError(
                f"{path}: it is cut short: {layout.count:,} images were announced, and it ends "
                f"after {whole:,}.",
                "Copy or download it again, whole.",
            )
        images = np.frombuffer(content, dtype).reshape(count, *layout.dimensions[1:])
        yield layout.rows(plain(images))
    check_end(path, file, f"{layout.count:,} images")


def read_exactly(file: BinaryIO, size: int) -> bytearray:
    """Read `size` bytes, fewer only at the end of the file, in memory for what is really there."""
    content = bytearray()
    while len(content) < size and (part := file.read(min(size - len(content), 1 << 22))):
        content += part
    return content


def check_end(path: Path, file: BinaryIO, announced: str) -> None:
    """Refuse a file that goes on.

    Raises:
        DataError: If anything is left to be read.
    """
    if file.read(1):
        raise DataError(
            f"{path}: it continues after the {announced} that its header announces.",
            "It is damaged, or two files in one. Copy or download it again.",
        )
