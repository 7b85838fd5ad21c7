"""How the values of an image are arranged, judged by its neighbours: images are smooth."""

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.shape import Shape

Values = NDArray[np.generic]

CLEARLY = 0.8
"""Share of the roughness of one reading that another must stay below to be called the right one."""
MOST_CLASSES = 64
"""Values that a column of labels has at most."""
LIKE = 0.5
"""Correlation of neighbours from which images count as smooth."""
UNLIKE = 0.2
"""Correlation with its neighbour below which a column of smooth images is none of them."""


def roughness(images: Values, shape: Shape) -> float:
    """Compute the mean absolute difference of neighbours, along both sides of an image.

    Args:
        images: (n, height * width * channels), the channels of a pixel together.
        shape: (height, width, channels).
    """
    values = images.reshape(-1, *shape).astype(np.float64)
    steps = [np.abs(np.diff(values, axis=axis)).mean() for axis in (1, 2)]
    return float(np.mean(steps))


def by_pixel(images: Values, shape: Shape) -> Values:
    """Bring images whose channels lie one after the other, rr..gg..bb.., to rgbrgb...

    Args:
        images: (n, channels * height * width), each channel a whole plane.
        shape: (height, width, channels).

    Returns:
        A new array of the same shape, the channels of a pixel together.
    """
    height, width, channels = shape
    planes = images.reshape(-1, channels, height, width)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)).reshape(len(images), -1)


def along_rows(images: Values, shape: Shape) -> Values:
    """Bring images whose values run down the columns to those that run along the rows.

    Args:
        images: (n, width * height * channels), column after column.
        shape: (height, width, channels) of the result.
    """
    height, width, channels = shape
    columns = images.reshape(-1, width, height, channels)
    return np.ascontiguousarray(columns.transpose(0, 2, 1, 3)).reshape(len(images), -1)


def find_order(sample: Values, shape: Shape) -> str | None:
    """Return whether colour images are stored by pixel or by plane; None if both fit alike.

    Args:
        sample: Some images as they are stored, (n, height * width * channels).
        shape: (height, width, channels), more than one channel.

    Returns:
        pixel, plane or None.
    """
    pixel, plane = roughness(sample, shape), roughness(by_pixel(sample, shape), shape)
    if plane < CLEARLY * pixel:
        return "plane"
    return "pixel" if pixel < CLEARLY * plane else None


def label_among_pixels(sample: Values, shape: Shape) -> str | None:
    """Return first or last if that column looks like a label: few values, unlike its neighbours.

    Args:
        sample: Some images, (n, height * width * channels).
        shape: (height, width, channels).
    """
    height, width, channels = shape
    values = sample.astype(np.float64)
    if len(values) < 20:
        return None
    middle = np.arange(width * channels * (height // 2), width * channels * (height // 2 + 1))
    typical = np.median([_correlation(values[:, i], values[:, i - channels]) for i in middle])
    if not typical > LIKE:
        return None  # neighbours say nothing here
    last = values.shape[1] - 1
    for name, own, step in (("first", 0, 1), ("last", last, -1)):
        column = values[:, own]
        kinds, counts = np.unique(column, return_counts=True)
        few = 1 < len(kinds) <= min(MOST_CLASSES, len(column) // 4)
        # Classes are about equally frequent; of pixels at the border nearly all have one value
        if few and counts.max() < 0.7 * len(column) and (np.rint(kinds) == kinds).all():
            beside = values[:, own + step * channels]
            if abs(_correlation(column, beside)) < UNLIKE:
                return name
    return None


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    spread = one.std() * other.std()
    if spread == 0:
        return 0.0
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread)


def border_shares(images: NDArray[np.uint8], shape: Shape) -> tuple[float, float]:
    """Return the shares of images with a dark border and with a bright one, nearly all around.

    Args:
        images: uint8 (n, height * width * channels).
        shape: (height, width, channels).
    """
    height, width, channels = shape
    inside = np.zeros(shape, bool)
    inside[1 : height - 1, 1 : width - 1] = True
    border = images.reshape(-1, height * width * channels)[:, ~inside.ravel()]
    dark, bright = (border < 52).mean(axis=1), (border > 203).mean(axis=1)
    return float((dark > 0.9).mean()), float((bright > 0.9).mean())
