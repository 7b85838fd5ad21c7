"""Which methods a run has, what it says of them, and scores at both ends of the scale."""

import numpy as np
import pytest

from autoencoders.images.gaussian_noise import add_gaussian_noise
from autoencoders.metrics.rounded_psnr import rounded_psnr
from flows.catalogue import METHODS, METRICS
from flows.evaluation import rivals
from flows.remarks import code_size, remarks

# Loaded at once: TensorFlow's threads are set before a test, if it has been imported by then
MEASURES = {metric.name: metric.function.load() for metric in METRICS}
PERFECT = {"mse": 0, "mae": 0, "psnr": 58.92, "ssim": 1}


def test_a_network_is_compared_with_all_that_does_the_same_untrained():
    """The others are compared with the noise."""
    methods = {method.name: method for method in METHODS}

    assert rivals(methods["denoiser"]) == [
        "noisy", "gaussian", "median", "nlm", "tv", "wavelet", "lmmse", "patches",
    ]  # fmt: skip
    assert rivals(methods["autoencoder"]) == ["pca"]
    assert rivals(methods["lmmse"]) == ["noisy"]
    assert rivals(methods["noisy"]) == []


@pytest.mark.parametrize("metric", MEASURES)
def test_the_clean_image_is_the_best_answer_and_noise_the_worst(metric):
    """Of the clean image, a slightly and a very noisy one, and noise without any image."""
    rng = np.random.default_rng(0)
    clean = np.repeat(np.repeat(rng.random((5, 7, 7, 1), np.float32), 4, axis=1), 4, axis=2)
    answers = [clean, *(add_gaussian_noise(clean, factor, rng) for factor in (0.1, 0.5)),
               rng.random(clean.shape, np.float32).round()]  # fmt: skip
    scores = [MEASURES[metric](clean, answer).mean() for answer in answers]

    assert scores[0] == pytest.approx(PERFECT[metric], abs=0.01)
    assert scores in (sorted(scores), sorted(scores)[::-1])


def test_rounding_to_bytes_is_that_of_the_literature():
    """What leaves the pixel range is clipped; what was exact stays exact."""
    clean = np.full((1, 4, 4, 1), 51 / 255, np.float32)

    assert rounded_psnr(clean, clean + np.float32(0.4 / 255))[0] == pytest.approx(58.92, abs=0.01)
    assert rounded_psnr(np.ones_like(clean), clean + 5)[0] == pytest.approx(58.92, abs=0.01)
    assert rounded_psnr(clean, clean + np.float32(2 / 255))[0] == pytest.approx(42.11, abs=0.01)


def measured():
    """Metrics of a run."""
    gain = {"images": 500, "psnr": 1.2, "psnr_interval": [1.1, 1.3]}
    return {
        "images": 1000, "copies_of_train": 3, "left_out": {"pca": "since the images are large"},
        "patches": {"images": 500, "as_papers": {"images": 100}},
        "autoencoder": {"images": 1000, "mse": 0.02},
        "denoiser": {"images": 1000, "against": {"noisy": {**gain, "psnr": 9.0}, "patches": gain}},
    }  # fmt: skip


LAYERS = [{"output": "8 x 8 x 4"}, {"output": "4 x 4 x 2"}, {"output": "4 x 4 x 3"},
          {"output": "8 x 8 x 1"}]  # fmt: skip
CODES = [{"numbers": str(index), "mse": str(0.1 / (index + 1))} for index in range(65)]


def test_the_summary_says_what_the_numbers_mean():
    """Against the best rival, against linear codes, as papers do, and on what images."""
    text = "\n".join(remarks(measured(), CODES, LAYERS, own_noise=False))

    assert "best untrained method, patches, on the same 500 images: +1.20 dB" in text
    assert "(95 % interval +1.10 to +1.30)" in text
    assert "as well as 4 of 64 principal components" in text
    assert "32 numbers for the 64 of an image, as many components reach 25.19 dB." in text
    assert "on 100 images (`evaluation.curve_images`)" in text
    assert "Scored on 500 test images drawn by chance" in text
    assert "3 of the test images are train images too" in text
    assert "Left out: `pca`, since the images are large." in text


def test_a_code_larger_than_the_image_is_said_not_to_compress():
    """As the reference's: as many principal components would be exact."""
    layers = [{"output": "8 x 8 x 4"}, {"output": "4 x 4 x 8"}, {"output": "8 x 8 x 1"}]
    text = "\n".join(remarks(measured(), CODES, layers, own_noise=False))

    assert "128 numbers for the 64 of an image, so it does not compress" in text


@pytest.mark.parametrize(("outputs", "size"), [
    (["28 x 28 x 32", "7 x 7 x 64", "7 x 7 x 128", "28 x 28 x 1"], 3136),
    (["8 x 8 x 4", "256", "16", "256", "8 x 8 x 4"], 16),
])  # fmt: skip
def test_the_narrowest_place_of_a_network_is_its_code(outputs, size):
    """Where the resolution is least; a dense layer has none."""
    assert code_size([{"output": one} for one in outputs]) == size
