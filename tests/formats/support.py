"""What the tests of the readers share."""

import numpy as np


def pixels_of(file, rows=7):
    """Return the pixels of all parts of an image file, and the labels, twice alike."""
    once, again = list(file.parts(rows)), list(file.parts(rows))
    pixels = np.concatenate([part.pixels for part in once])
    assert all(0 < len(part.pixels) <= rows for part in once)
    assert all(part.pixels.shape[1:] == (file.width,) for part in once)
    assert np.array_equal(pixels, np.concatenate([part.pixels for part in again]))
    assert {part.labels is not None for part in once} == {file.labelled}
    assert file.count in (None, len(pixels))
    if not file.labelled:
        return pixels, None
    assert all(len(part.labels) == len(part.pixels) for part in once)
    return pixels, np.concatenate([part.labels for part in once])
