"""From rows of bytes to images."""

import numpy as np
import pytest

from autoencoders.images.pixels import to_images


def test_bytes_become_images_in_the_unit_range():
    """Row-major order, divided by 255 once."""
    images = to_images(np.arange(24, dtype=np.uint8).reshape(2, 12) * 10, (2, 3, 2))

    assert images.shape == (2, 2, 3, 2)
    assert images.dtype == np.float32
    assert images[1, 0, 2, 1] == np.float32(170) / np.float32(255)
    assert to_images(np.full((1, 4), 255, np.uint8), (2, 2, 1)).max() == 1


def test_scaled_pixels_are_refused():
    """The second division by 255 is the classic mistake."""
    with pytest.raises(ValueError, match="uint8"):
        to_images(np.ones((1, 4), np.float32), (2, 2, 1))


def test_rows_of_the_wrong_length_are_refused():
    """784 values do not make a 32 x 32 image."""
    with pytest.raises(ValueError, match="1024 columns"):
        to_images(np.ones((1, 784), np.uint8), (32, 32, 1))
