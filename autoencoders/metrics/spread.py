"""How much images differ from each other; those of a network that is of no use may not at all."""

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]


class Spread:
    """The standard deviation of each pixel over many images, which arrive in batches.

    In float64, by the update of Chan, Golub and LeVeque (1983), "Algorithms for computing the
    sample variance": sums of squares would cancel where images hardly differ.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: NDArray[np.float64] | float = 0.0
        self._squares: NDArray[np.float64] | float = 0.0

    def add(self, images: Images) -> None:
        """Take in a batch, (n, height, width, channels); all batches have images of one shape."""
        pixels = images.astype(np.float64)
        mean = pixels.mean(axis=0)  # (h, w, c)
        shift, total = mean - self._mean, self._count + len(images)
        self._squares += np.square(pixels - mean).sum(axis=0)
        self._squares += np.square(shift) * (self._count * len(images) / total)
        self._mean += shift * (len(images) / total)
        self._count = total

    def value(self) -> float:
        """Return the root mean square, over pixels, of their standard deviations.

        Returns:
            From 0, for one image or equal ones, to 0.5, in units of the pixel range. Its square is
            the mean squared error of answering with the mean image every time.
        """
        return float(np.sqrt(np.mean(self._squares) / max(1, self._count)))
