"""Averaging over shifts: a network sees each image in several places, and its answers are averaged.

A network that halves images and doubles them again answers differently when an image is moved by a
pixel. The errors of these answers differ too, so that their mean is closer to the clean image.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]


def over_shifts(restore: Callable[[Images], Images], reach: int) -> Callable[[Images], Images]:
    """Return a function that averages what `restore` makes of shifted images.

    Args:
        restore: A function from float32 (n, height, width, channels) in [0, 1] to the same shape.
        reach: How many pixels an image is moved at most, the distances down and across added up; 0
            moves none. With 1 it takes 5 times as long, with 2 13 times.

    Returns:
        A function of the same kind. What is moved out of an image comes back from no shift; at its
        border fewer answers are averaged. What is moved in is the mirror image.
    """
    if reach == 0:
        return restore

    def averaged(images: Images) -> Images:
        _, height, width, _ = images.shape
        around = ((0, 0), (reach, reach), (reach, reach), (0, 0))
        padded = np.pad(images, around, "symmetric")
        total = np.zeros_like(padded)
        count = np.zeros((1, *padded.shape[1:3], 1), np.float32)
        for top, left in _corners(reach):
            place = (slice(None), slice(top, top + height), slice(left, left + width))
            total[place] += restore(np.ascontiguousarray(padded[place]))
            count[place] += 1
        inside = (slice(None), slice(reach, reach + height), slice(reach, reach + width))
        return np.asarray(total[inside] / count[inside], np.float32)

    return averaged


def _corners(reach: int) -> Iterator[tuple[int, int]]:
    """Yield where shifted images begin in the padded ones. Diagonal steps count as two: a network
    is the worse the further an image is moved, so that with them the mean gains less."""
    for top in range(2 * reach + 1):
        for left in range(2 * reach + 1):
            if abs(top - reach) + abs(left - reach) <= reach:
                yield top, left
