"""Pictures of any size through a network of one size: tiles, shifts, values of a file."""

import numpy as np
import pytest

from autoencoders.images.meaning import Meaning
from autoencoders.images.ranges import Range
from autoencoders.images.shifts import over_shifts
from autoencoders.images.tiles import restore_any_size
from autoencoders.images.unit_range import from_unit_range, to_unit_range

TILE = (28, 28, 1)
RNG = np.random.default_rng(0)


def same(images):
    return images


@pytest.mark.parametrize(
    "shape",
    [(30, 50, 1), (51, 37, 1), (28, 28, 1), (27, 5, 1), (100, 28, 3), (9, 200, 4), (28, 28, 2)],
    ids=str,
)
@pytest.mark.parametrize("tile", [TILE, (28, 28, 3), (51, 37, 1), (5, 4, 1)], ids=str)
def test_a_network_that_changes_nothing_changes_nothing(shape, tile):
    """The weights of all tiles add up to one at every pixel, whatever the sizes."""
    images = RNG.random((2, *shape), dtype=np.float32)

    restored = restore_any_size(images, same, tile)

    assert restored.shape == images.shape
    assert np.abs(restored - images).max() < 1e-6


def test_tiles_leave_no_seams():
    """Of a grey picture, tiles that each come out in another shade blend: no jump from a pixel to
    the next is larger where tiles end than elsewhere."""
    shades = np.random.default_rng(1)

    def differently(tiles):
        return np.ones_like(tiles) * shades.random((len(tiles), 1, 1, 1), dtype=np.float32)

    restored = restore_any_size(np.full((1, 1000, 1500, 1), 0.5, np.float32), differently, TILE)

    for axis, side in ((1, 1000), (2, 1500)):
        jumps = np.abs(np.diff(restored[0, :, :, 0], axis=axis - 1)).max(axis=2 - axis)  # (side-1,)
        ends = [at for at in range(-27, side, 14) if 0 < at < side]
        inside = np.delete(jumps, np.array(ends) - 1)
        assert jumps[np.array(ends) - 1].max() <= inside.max()
        assert jumps.max() < 0.15


def test_a_grey_network_restores_each_colour_by_itself():
    """As if the channels were pictures of their own."""
    images = RNG.random((2, 28, 28, 3), dtype=np.float32)

    restored = restore_any_size(images, np.square, TILE)

    assert np.abs(restored - images**2).max() < 1e-6


def test_shifts_average_what_depends_on_the_place():
    """What a network errs at every other column is shared with the columns beside it."""
    stripes = np.zeros((1, 28, 28, 1), np.float32)
    stripes[:, :, ::2] = 0.3
    clean = np.full((3, 28, 28, 1), 0.5, np.float32)

    averaged = over_shifts(lambda images: images + stripes, reach=1)(clean)

    assert over_shifts(same, 0) is same
    # Of five answers, two are of the columns beside; of four at the border, one is
    expected = np.tile([0.3 * 3 / 5, 0.3 * 2 / 5], 14)
    expected[[0, -1]] = 0.3 * 3 / 4, 0.3 * 1 / 4
    inside = (averaged - clean)[:, 1:-1, :, 0]
    assert np.allclose(inside, expected, atol=1e-6)
    assert np.abs(over_shifts(same, 2)(clean) - clean).max() < 1e-6


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "used",
    [Range("", 0, 255), Range("", 255, 0), Range("", -0.5, 0.5), Range("", 0, 255, wrapped=True)],
    ids=["bytes", "inverted", "about 0", "signed"],
)
def test_values_come_back_as_they_were(used, planes, transposed):
    """Whatever they mean, and in whatever order the file has them."""
    meaning = Meaning((4, 6, 3), used, planes=planes, transposed=transposed)
    values = RNG.integers(0, 256, (5, 72)).astype(float)
    if used.wrapped:
        values[values > 127] -= 256
    elif used.white != 255 and used.black != 255:
        values = values / 255 - 0.5

    images = to_unit_range(values, meaning)

    assert images.shape == (5, 4, 6, 3)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    whole = used.black == int(used.black)
    assert np.abs(from_unit_range(images, meaning, whole=whole) - values).max() < 1e-6


def test_images_mean_the_same_as_those_that_are_trained_on():
    """Scaled exactly, they are the bytes that `ingest` makes, divided by 255."""
    meaning = Meaning((4, 6, 3), Range("", 0, 255), planes=True, transposed=True)
    values = RNG.integers(0, 256, (5, 72), np.uint8)

    pixels, _ = meaning.images(values)

    expected = (pixels / np.float32(255)).reshape(5, 4, 6, 3)
    assert np.abs(to_unit_range(values, meaning) - expected).max() < 1e-6
