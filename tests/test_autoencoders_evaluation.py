"""The metrics, against scikit-image and by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from autoencoders.evaluation import psnr, score_images, summarise


@pytest.fixture
def pair():
    """Five smooth images and noisy versions of them."""
    rng = np.random.default_rng(0)
    clean = np.repeat(np.repeat(rng.random((5, 7, 7, 1), dtype=np.float32), 4, axis=1), 4, axis=2)
    noise = rng.normal(0, 0.2, clean.shape).astype(np.float32)
    return clean, np.clip(clean + noise, 0, 1)


def test_scores_agree_with_scikit_image(pair):
    """Two independent implementations of the same papers."""
    scores = score_images(*pair)

    for index, (clean, noisy) in enumerate(zip(*pair, strict=True)):
        ssim = structural_similarity(
            clean[..., 0], noisy[..., 0], data_range=1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert scores["ssim"][index] == pytest.approx(ssim, abs=1e-4)
        assert scores["psnr"][index] == pytest.approx(
            peak_signal_noise_ratio(clean, noisy, data_range=1), abs=1e-3
        )


def test_the_summary_takes_psnr_of_the_mean_error(pair):
    """Not the mean of the PSNR, which is a figure of its own."""
    scores = score_images(*pair)
    figures = summarise(scores)

    assert figures["mse"] == pytest.approx(np.square(pair[0] - pair[1]).mean(), rel=1e-5)
    assert figures["psnr"] == pytest.approx(-10 * np.log10(figures["mse"]))
    assert figures["psnr_mean"] == pytest.approx(scores["psnr"].mean())


def test_an_exact_image_has_a_finite_psnr():
    """The cap is the error of rounding to bytes, 58.9 dB."""
    white = np.ones((1, 12, 12, 1), np.float32)

    assert score_images(white, white)["psnr"][0] == pytest.approx(58.92, abs=0.01)
    assert score_images(white, white)["ssim"][0] == pytest.approx(1)
    assert psnr(1.0) == 0


def test_ssim_is_not_given_where_it_is_not_defined():
    """A window of 11 x 11 does not fit into 8 x 8; the summary says None, which is valid JSON."""
    small = np.zeros((2, 8, 8, 1), np.float32)

    assert summarise(score_images(small, small))["ssim"] is None


def test_other_shapes_are_refused(pair):
    """Broadcasting would compare every image with the first."""
    with pytest.raises(ValueError, match="shape of `clean`"):
        score_images(pair[0], pair[1][:1])
