"""Pictures of any size through a network of one size: overlapping tiles, blended without seams.

Along each axis the tiles overlap by half. Each is weighted by a raised cosine, whose shifted copies
add up to one everywhere, so that no pixel shows where a tile ends. Beyond its border a picture goes
on as its own mirror image.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Restore = Callable[[Images], Images]
"""A function from float32 (n, height, width, channels) in [0, 1] to the same shape."""

AT_A_TIME = 1 << 20
"""Pixels of tiles that are gathered before they are restored, or one tile."""


class _Axis(NamedTuple):
    """How the tiles lie along one axis of a picture."""

    before: int
    """Mirrored pixels in front of the picture."""
    behind: int
    """Mirrored pixels behind it."""
    starts: range
    """Where tiles begin, counted from the first mirrored pixel."""
    weights: NDArray[np.float32]
    """Of each pixel of a tile; those of all tiles add up to one at each pixel of the picture."""


def restore_any_size(images: Images, restore: Restore, tile: tuple[int, int, int]) -> Images:
    """Restore images of any height, width and channels with a network of one shape.

    A side that is shorter than that of the network is filled up with the mirror image of the
    picture. Where the channels differ, each one is restored by itself: a network of several
    channels sees it in all of them, and the mean of these is the result.

    Args:
        images: float32 (n, h, w, c) in [0, 1].
        restore: The network.
        tile: (height, width, channels) that it takes.

    Returns:
        float32 of the shape of `images`.
    """
    channels, expected = images.shape[3], tile[2]
    if channels == expected:
        return _restore_sizes(images, restore, tile)
    planes = [
        _restore_sizes(np.repeat(images[..., [at]], expected, axis=3), restore, tile)
        for at in range(channels)
    ]
    return np.stack([plane.mean(axis=3) for plane in planes], axis=3)


def _restore_sizes(images: Images, restore: Restore, tile: tuple[int, int, int]) -> Images:
    if images.shape[1:] == tile:
        return restore(images)
    return np.stack([_restore_one(image, restore, tile) for image in images])


def _restore_one(image: Images, restore: Restore, tile: tuple[int, int, int]) -> Images:
    """Restore one picture, (h, w, c)."""
    height, width, channels = image.shape
    rows, columns = _axis(height, tile[0]), _axis(width, tile[1])
    padded = np.pad(
        image, ((rows.before, rows.behind), (columns.before, columns.behind), (0, 0)), "symmetric"
    )
    weights = (rows.weights[:, None] * columns.weights)[:, :, None]  # (tile h, tile w, 1)
    blended = np.zeros_like(padded)
    places = [(top, left) for top in rows.starts for left in columns.starts]
    each = max(1, AT_A_TIME // (tile[0] * tile[1]))
    for start in range(0, len(places), each):
        some = places[start : start + each]
        cut = [(slice(top, top + tile[0]), slice(left, left + tile[1])) for top, left in some]
        restored = restore(np.stack([padded[place] for place in cut]))  # (m, tile h, tile w, c)
        for place, one in zip(cut, restored, strict=True):
            blended[place] += weights * one
    inside = blended[rows.before : rows.before + height, columns.before : columns.before + width]
    return np.ascontiguousarray(inside).reshape(height, width, channels)


def _axis(side: int, tile: int) -> _Axis:
    if side <= tile:
        missing = tile - side
        return _Axis(missing // 2, missing - missing // 2, range(1), np.ones(tile, np.float32))
    step = tile // 2
    # Each pixel of the picture lies in the overlap of two tiles, or of three where `tile` is odd
    before = tile - 1
    count = -(-(side + before) // step)
    behind = (count - 1) * step + tile - before - side
    angles = np.pi * (np.arange(tile) + 0.5) / tile
    bare = np.sin(angles) ** 2
    total = np.zeros(before + side + behind)
    starts = range(0, count * step, step)
    for start in starts:
        total[start : start + tile] += bare
    # Where all tiles are that there can be, the sum repeats itself with every step
    full = total[before : before + step]
    weights = bare / np.resize(np.roll(full, before % step), tile)
    return _Axis(before, behind, starts, weights.astype(np.float32))
