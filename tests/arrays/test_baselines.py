"""The classical methods: against scikit-image's own, by hand, and at the ends of what they get."""

import importlib

import numpy as np
import pytest
import skimage.filters
import skimage.restoration
from scipy.stats import norm

from autoencoders.baselines import (
    gaussian_filter,
    linear,
    median_filter,
    non_local_means,
    patch_posterior,
    principal_components,
    total_variation,
    wavelet,
)
from autoencoders.baselines.unsuitable import UnsuitableError
from autoencoders.images.gaussian_noise import add_gaussian_noise
from autoencoders.images.salt_and_pepper import add_salt_and_pepper
from flows.catalogue import METHODS
from tasks.one_thread import one_thread

CLASSICAL = [method for method in METHODS if method.module]
IMAGES = np.zeros((2, 8, 8, 1), np.float32)
by_method = pytest.mark.parametrize("method", CLASSICAL, ids=lambda method: method.name)


@pytest.fixture(autouse=True)
def in_one_thread():
    """As the stage runs them."""
    with one_thread():
        yield


def pictures(count, height=16, width=16, channels=1, seed=0):
    """Bright boxes on black, float32 (count, height, width, channels)."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, height, width, channels), np.float32)
    for image in images:
        top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
        image[top : top + height // 2, left : left + width // 2] = rng.uniform(0.7, 1, channels)
    return images


def noisy(images, factor=0.4, seed=1):
    return add_gaussian_noise(images, factor, np.random.default_rng(seed))


def fitted(method, clean, given, factor=0.4):
    """Let a method of the catalogue learn; return a function that restores."""
    module = importlib.import_module(method.module)
    half = len(clean) // 2
    pairs = iter([(given[:half], clean[:half]), (given[half:], clean[half:])])
    learned = module.fit(pairs, factor, np.random.default_rng(0))
    return lambda images: module.restore(images, learned)


def error(restored, clean):
    return float(np.square(restored - clean, dtype=np.float64).mean())


@by_method
def test_a_method_makes_unseen_images_better(method):
    """Those that read noisy images; of clean ones, no more than the code allows is lost."""
    clean, unseen = pictures(60), pictures(20, seed=2)
    given = {"noisy": noisy, "clean": lambda images: images}[method.reads]
    restored = fitted(method, clean, given(clean))(given(unseen))

    assert (restored.shape, restored.dtype) == (unseen.shape, np.float32)
    assert restored.min() >= 0
    assert restored.max() <= 1
    assert error(restored, unseen) < 0.9 * error(noisy(unseen), unseen)


@by_method
@pytest.mark.parametrize("shape", [(4, 4, 1), (8, 12, 3), (12, 8, 2), (16, 10, 4)])
def test_a_method_takes_images_of_any_form(method, shape):
    """Small, oblong, in colour; NaN comes out of none, and one image at a time is the same."""
    clean = pictures(12, *shape)
    restore = fitted(method, clean, noisy(clean))
    restored = restore(noisy(clean))

    assert restored.shape == clean.shape
    assert np.isfinite(restored).all()
    assert np.allclose(restore(noisy(clean)[3:4]), restored[3:4], atol=1e-5)


@by_method
def test_a_method_without_noise_to_learn_from_leaves_images_nearly_as_they_are(method):
    """With a noise factor of 0 the least strength is the best one."""
    clean = pictures(200 if method.learns_from > 50 else 20, 8, 8)
    restored = fitted(method, clean, clean, factor=0.0)(clean)

    assert error(restored, clean) < (0.05 if method.reads == "clean" else 0.005)


@by_method
def test_a_method_learns_from_two_images(method):
    """The fewest that can be trained on."""
    clean = pictures(2)

    assert np.isfinite(fitted(method, clean, noisy(clean))(noisy(clean))).all()


@pytest.mark.parametrize("method", [one for one in CLASSICAL if one.name != "patches"],
                         ids=lambda method: method.name)  # fmt: skip
def test_a_method_works_with_other_noise(method):
    """Salt and pepper; what is made for Gaussian noise says so."""
    clean = pictures(60)
    given = add_salt_and_pepper(clean, 0.3, np.random.default_rng(0))
    restored = fitted(method, clean, given, factor=None)(given)

    assert error(restored, clean) < error(given, clean)


def test_patches_are_weighed_by_gaussian_noise_alone():
    """Other noise has another likelihood, and that of somebody's own images is not known."""
    with pytest.raises(UnsuitableError, match="likelihood of Gaussian noise"):
        patch_posterior.fit([(IMAGES, IMAGES)], None, np.random.default_rng(0))


@pytest.mark.parametrize("module", [linear, principal_components])
def test_what_compares_each_number_with_each_refuses_large_images(module):
    """50 x 50 in colour would take gigabytes and minutes; 32 x 32 in colour is taken."""
    large = np.zeros((2, 50, 50, 3), np.float32)

    with pytest.raises(UnsuitableError, match=r"7,500 numbers .* \(at most 3,072\)"):
        module.fit([(large, large)], 0.5, np.random.default_rng(0))


def learned(strength):
    return {"strength": np.array(strength)}


@pytest.mark.parametrize(
    ("restore", "strength", "own"),
    [
        (gaussian_filter.restore, 0.8, lambda image: skimage.filters.gaussian(image, 0.8)),
        (median_filter.restore, 3, lambda image: skimage.filters.median(image, np.ones((3, 3)))),
        (total_variation.restore, 0.2,
         lambda image: skimage.restoration.denoise_tv_chambolle(image, weight=0.2)),
        (non_local_means.restore, 0.2,
         lambda image: skimage.restoration.denoise_nl_means(
             image, patch_size=5, patch_distance=6, h=0.2)),
        (wavelet.restore, 0.3,
         lambda image: skimage.restoration.denoise_wavelet(
             image, sigma=0.3, wavelet="sym4", wavelet_levels=2)),
    ],
    ids=["gaussian", "median", "tv", "nlm", "wavelet"],
)  # fmt: skip
def test_a_filter_is_that_of_scikit_image(restore, strength, own):
    """Image by image, with its defaults."""
    images = noisy(pictures(3, 28, 28))
    restored = restore(images, learned(strength))

    for image, found in zip(images, restored, strict=True):
        assert np.allclose(found[..., 0], np.clip(own(image[..., 0]), 0, 1), atol=1e-5)


def test_the_strength_of_least_error_is_chosen():
    """Of all that were tried, on the train images."""
    clean = pictures(40)
    found = gaussian_filter.fit([(noisy(clean), clean)], 0.4, np.random.default_rng(0))

    assert found["strength"] == found["strengths"][np.argmin(found["errors"])]
    assert found["errors"].min() == pytest.approx(
        error(gaussian_filter.restore(noisy(clean), found), clean), rel=1e-6
    )
    assert found["errors"][0] > found["errors"].min() < found["errors"][-1]


def test_the_affine_map_is_that_of_least_squares():
    """With images enough, it hardly matters that a ridge is tried: NumPy solves it alike."""
    clean = pictures(3000, 4, 4)
    given = noisy(clean)
    found = linear.fit([(given[:1000], clean[:1000]), (given[1000:], clean[1000:])], 0.4, None)
    table = np.hstack([given.reshape(3000, -1), np.ones((3000, 1))])
    best, *_ = np.linalg.lstsq(table, clean.reshape(3000, -1), rcond=None)

    assert error(linear.restore(given, found), clean) == pytest.approx(
        error(np.clip(table @ best, 0, 1).reshape(clean.shape), clean), rel=0.01
    )


def test_the_affine_map_of_about_as_many_images_as_numbers_needs_a_ridge():
    """Without it, it would restore these by heart and make all others worse."""
    clean, unseen = pictures(80, 8, 8), pictures(50, 8, 8, seed=3)
    found = linear.fit([(noisy(clean), clean)], 0.4, None)

    assert found["ridge"] > linear.RIDGES[0]
    assert error(linear.restore(noisy(unseen), found), unseen) < error(noisy(unseen), unseen)


def test_a_patch_of_the_dictionary_is_found_again():
    """With little noise, the posterior is on the right one: the image comes back."""
    clean = pictures(3)
    found = patch_posterior.fit([(clean, clean)], 0.05, np.random.default_rng(0))
    restored = patch_posterior.restore(noisy(clean, 0.05), found)

    assert error(restored, clean) < 0.1 * error(noisy(clean, 0.05), clean)


def test_the_posterior_mean_is_that_of_the_clipped_noise():
    """By hand, for patches of one pixel's brightness: at 0 all of the clipped noise counts."""
    black, grey = np.zeros((1, 8, 8, 1), np.float32), np.full((1, 8, 8, 1), 0.1, np.float32)
    found = patch_posterior.fit(iter([(grey, np.concatenate([black, grey]))]), 1.0,
                                np.random.default_rng(0))  # fmt: skip

    likelihood = [norm.cdf(-value) ** 64 for value in (0, 0.1)]
    expected = 0.1 * likelihood[1] / sum(likelihood)

    assert patch_posterior.restore(black, found) == pytest.approx(expected, rel=1e-4)


def test_all_principal_components_are_exact_and_fewer_are_the_best_of_their_number():
    """Their errors are those of the images projected on them."""
    images = np.random.default_rng(0).random((100, 4, 4, 1), dtype=np.float32)
    found = principal_components.fit([(images, images)], 0, np.random.default_rng(0))
    errors = principal_components.errors_by_size(images, found)
    restored = principal_components.restore(images, found)

    assert len(errors) == 17
    assert errors[-1] == pytest.approx(0, abs=1e-12)
    assert (np.diff(errors) < 0).all()
    assert error(restored, images) == pytest.approx(errors[2], rel=0.05)  # it clips beside
