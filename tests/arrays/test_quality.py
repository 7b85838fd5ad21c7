"""The metrics, against scikit-image and by hand."""

import subprocess
import sys

import numpy as np
import pytest
import skimage.metrics

from autoencoders.metrics.mean_absolute_error import mean_absolute_error
from autoencoders.metrics.quality import (
    mean_squared_error,
    peak_signal_to_noise_ratio,
    psnr,
)
from autoencoders.metrics.spread import Spread
from autoencoders.metrics.structural_similarity import structural_similarity

METRICS = (
    mean_squared_error,
    peak_signal_to_noise_ratio,
    mean_absolute_error,
    structural_similarity,
)
every_metric = pytest.mark.parametrize("metric", METRICS)


@pytest.fixture
def pair():
    """Five smooth images and noisy versions of them."""
    rng = np.random.default_rng(0)
    clean = np.repeat(np.repeat(rng.random((5, 7, 7, 1), dtype=np.float32), 4, axis=1), 4, axis=2)
    noise = rng.normal(0, 0.2, clean.shape).astype(np.float32)
    return clean, np.clip(clean + noise, 0, 1)


@every_metric
def test_a_metric_gives_one_float64_per_image(metric, pair):
    """Each image is scored on its own, whatever else is in the batch."""
    scores = metric(*pair)

    assert scores.shape == (5,)
    assert scores.dtype == np.float64
    assert metric(pair[0][3:4], pair[1][3:4]) == pytest.approx(scores[3:4], rel=1e-6)


@every_metric
def test_images_of_different_shapes_are_refused(metric, pair):
    """Broadcasting would compare every image with the first."""
    with pytest.raises(ValueError, match="shape of `clean`"):
        metric(pair[0], pair[1][:1])


def test_scores_agree_with_scikit_image(pair):
    """Two independent implementations of the same papers."""
    ssim, decibels = structural_similarity(*pair), peak_signal_to_noise_ratio(*pair)

    for index, (clean, noisy) in enumerate(zip(*pair, strict=True)):
        expected = skimage.metrics.structural_similarity(
            clean[..., 0], noisy[..., 0], data_range=1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert ssim[index] == pytest.approx(expected, abs=1e-4)
        assert decibels[index] == pytest.approx(
            skimage.metrics.peak_signal_noise_ratio(clean, noisy, data_range=1), abs=1e-3
        )


def test_errors_are_means_over_the_pixels_of_an_image():
    """A quarter of the pixels is off by 0.5, upwards or downwards."""
    clean = np.full((2, 2, 2, 1), 0.5, np.float32)
    restored = clean.copy()
    restored[0, 0, 0], restored[1, 1, 1] = 1, 0

    assert mean_squared_error(clean, restored).tolist() == [0.0625, 0.0625]
    assert mean_absolute_error(clean, restored).tolist() == [0.125, 0.125]


def test_an_exact_image_has_a_finite_psnr():
    """The cap is the error of rounding to bytes, 58.9 dB."""
    white = np.ones((1, 12, 12, 1), np.float32)

    assert peak_signal_to_noise_ratio(white, white)[0] == pytest.approx(58.92, abs=0.01)
    assert structural_similarity(white, white)[0] == pytest.approx(1)
    assert psnr(1.0) == 0


def test_ssim_is_nan_where_it_is_not_defined():
    """A window of 11 x 11 fits into 11 pixels, but not into 10."""
    small = np.zeros((2, 10, 12, 1), np.float32)
    enough = np.zeros((2, 11, 12, 1), np.float32)

    assert np.isnan(structural_similarity(small, small)).all()
    assert structural_similarity(enough, enough) == pytest.approx(1)


def spread_of(*batches):
    spread = Spread()
    for batch in batches:
        spread.add(batch)
    return spread.value()


def test_the_spread_is_the_deviation_of_pixels_over_images(pair):
    """Of every pixel over the images, whatever the batches; its square is the mean image's MSE."""
    clean, _ = pair
    mean = clean.astype(np.float64).mean(axis=0, keepdims=True)
    expected = np.square(clean - mean).mean()

    assert spread_of(clean) ** 2 == pytest.approx(expected, rel=1e-12)
    assert spread_of(clean[:1], clean[1:4], clean[4:]) == pytest.approx(spread_of(clean), rel=1e-12)


def test_equal_images_have_no_spread():
    """Exactly none, in any batches; nor has a single image."""
    same = np.repeat(np.random.default_rng(0).random((1, 4, 4, 1), np.float32), 6, axis=0)

    assert spread_of(same) == spread_of(same[:1]) == 0
    assert spread_of(same[:1], same[1:3], same[3:]) == 0


def test_a_small_spread_does_not_drown_in_rounding():
    """Differences in the last bits of float32, far from 0."""
    images = np.full((1000, 2, 2, 1), 0.9, np.float32)
    images[::2] = np.nextafter(np.float32(0.9), np.float32(1))
    expected = float(images[0, 0, 0, 0] - images[1, 0, 0, 0]) / 2

    assert spread_of(images[:333], images[333:]) == pytest.approx(expected, rel=1e-6)


def test_only_ssim_needs_tensorflow():
    """The other metrics are used where importing TensorFlow, 8 seconds, would be felt."""
    code = (
        "import sys, autoencoders.metrics.quality, autoencoders.metrics.mean_absolute_error, "
        "autoencoders.figures.score_distribution; sys.exit('tensorflow' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
