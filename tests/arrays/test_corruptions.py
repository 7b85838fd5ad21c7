"""Corruptions: what all of them promise, and what each one does to the pixels."""

import numpy as np
import pytest

from autoencoders.images.gaussian_noise import add_gaussian_noise
from autoencoders.images.salt_and_pepper import add_salt_and_pepper
from autoencoders.randomness import generator

CORRUPTIONS = (add_gaussian_noise, add_salt_and_pepper)
every_corruption = pytest.mark.parametrize("corrupt", CORRUPTIONS)

GREY = np.full((50, 8, 8, 1), 0.5, np.float32)
COLOUR = np.random.default_rng(9).random((50, 8, 8, 3), dtype=np.float32)


@every_corruption
@pytest.mark.parametrize("images", [GREY, COLOUR, GREY[:0]], ids=["grey", "colour", "none"])
def test_a_corruption_keeps_shape_dtype_and_range(corrupt, images):
    """What follows takes noisy images for images, without another look at them."""
    noisy = corrupt(images, 0.9, np.random.default_rng(0))

    assert noisy.shape == images.shape
    assert noisy.dtype == np.float32
    assert ((noisy >= 0) & (noisy <= 1)).all()


@every_corruption
def test_factor_zero_leaves_the_images_as_they_are(corrupt):
    """No noise is the start of every scale of noise; the result is a copy all the same."""
    noisy = corrupt(COLOUR, 0, np.random.default_rng(0))

    assert np.array_equal(noisy, COLOUR)
    assert not np.shares_memory(noisy, COLOUR)


@every_corruption
def test_the_given_images_are_not_changed(corrupt):
    """They may be a read-only view of a file."""
    images = COLOUR.copy()
    images.flags.writeable = False
    corrupt(images, 0.5, np.random.default_rng(0))

    assert np.array_equal(images, COLOUR)


@every_corruption
def test_equal_generators_give_equal_noise(corrupt):
    """The noise depends on nothing but the generator, and it does depend on that."""
    first, again, other = (corrupt(GREY, 0.3, generator(seed, "noise")) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@every_corruption
@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
def test_noise_drawn_in_parts_equals_noise_drawn_in_one_piece(corrupt, images):
    """The size of a batch must not decide what is drawn."""
    whole = corrupt(images, 0.2, generator(3, "noise", "train"))
    rng = generator(3, "noise", "train")
    parts = [corrupt(part, 0.2, rng) for part in np.split(images, [7, 8, 33])]

    assert np.array_equal(np.concatenate(parts), whole)


@every_corruption
@pytest.mark.parametrize("images", [GREY * 4, GREY - 1, np.full_like(GREY, np.nan)])
def test_images_out_of_range_are_refused(corrupt, images):
    """On images scaled twice, or not at all, the factor would mean nothing."""
    with pytest.raises(ValueError, match="`images` must lie in"):
        corrupt(images, 0.1, np.random.default_rng(0))


@every_corruption
def test_a_negative_factor_is_refused(corrupt):
    """Neither a standard deviation nor a share is negative."""
    with pytest.raises(ValueError, match="`noise_factor`"):
        corrupt(GREY, -0.1, np.random.default_rng(0))


def test_gaussian_noise_has_the_requested_standard_deviation():
    """Far from the clipping bounds, only the noise moves the pixels."""
    noisy = add_gaussian_noise(GREY, 0.1, np.random.default_rng(0))

    assert (noisy - GREY).std() == pytest.approx(0.1, rel=0.03)


def test_gaussian_noise_is_clipped():
    """With factor 0.5, half of all black pixels would turn negative, and some exceed white."""
    noisy = add_gaussian_noise(np.zeros_like(GREY), 0.5, np.random.default_rng(0))

    assert noisy.min() == 0
    assert 0.9 < noisy.max() <= 1
    assert (noisy == 0).mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_salt_and_pepper_replaces_the_requested_share(share):
    """One half of it by black and the other by white; all other pixels keep their value."""
    grey = np.full((500, 8, 8, 1), 0.5, np.float32)
    noisy = add_salt_and_pepper(grey, share, np.random.default_rng(0))

    assert (noisy == 0).mean() == pytest.approx(share / 2, abs=0.01)
    assert (noisy == 1).mean() == pytest.approx(share / 2, abs=0.01)
    assert (noisy == 0.5).mean() == pytest.approx(1 - share, abs=0.01)


def test_salt_and_pepper_replaces_all_channels_of_a_pixel():
    """Pixels turn black or white, not red or cyan."""
    noisy = add_salt_and_pepper(COLOUR, 0.3, np.random.default_rng(0))
    changed = (noisy != COLOUR).any(axis=3)

    assert 0.2 < changed.mean() < 0.4
    assert set(map(tuple, noisy[changed].tolist())) == {(0, 0, 0), (1, 1, 1)}


@pytest.mark.parametrize("share", [1.01, np.nan])
def test_salt_and_pepper_refuses_what_is_no_share(share):
    """More than all pixels cannot be replaced."""
    with pytest.raises(ValueError, match=r"`noise_factor` must lie in \[0, 1\]"):
        add_salt_and_pepper(GREY, share, np.random.default_rng(0))


def test_every_purpose_has_noise_of_its_own():
    """Train and test noise of one run must differ, and so must that of two seeds."""
    drawn = {
        generator(*purpose).random()
        for purpose in [(0, "noise", "train"), (0, "noise", "test"), (1, "noise", "train")]
    }

    assert len(drawn) == 3
