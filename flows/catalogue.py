"""What the main job compares, measures and draws. A new one is a new entry in one of these lists.

Functions are named, not imported: a run in which everything is cached loads none of them, and each
step's cache key covers its own function alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.engine.handles import FunctionRef


@dataclass(frozen=True)
class Method:
    """A way to get an image back; each is scored on the test images."""

    name: str
    reads: Literal["clean", "noisy"]
    description: str
    module: str | None = None
    """Of a classical method, the module of its functions `fit` and `restore`."""
    trained: bool = False
    """Whether a network of this name is trained. Without either, a method leaves images alone."""
    learns_from: int = 300
    """Train images from which a classical method learns, at most."""
    slow: bool = False
    """Whether it is scored on a sample of the test images alone."""


BASELINES = "autoencoders.baselines"
METHODS = (
    Method("noisy", "noisy", "the noisy test images as they are"),
    Method("gaussian", "noisy", "Gaussian filter", f"{BASELINES}.gaussian_filter"),
    Method("median", "noisy", "median filter", f"{BASELINES}.median_filter"),
    Method("nlm", "noisy", "non-local means", f"{BASELINES}.non_local_means", learns_from=50,
           slow=True),
    Method("tv", "noisy", "total variation", f"{BASELINES}.total_variation", learns_from=50,
           slow=True),
    Method("wavelet", "noisy", "wavelet shrinkage", f"{BASELINES}.wavelet", learns_from=50,
           slow=True),
    Method("lmmse", "noisy", "best affine map of all pixels", f"{BASELINES}.linear",
           learns_from=60_000),
    Method("patches", "noisy", "posterior mean of 8 x 8 patches", f"{BASELINES}.patch_posterior",
           slow=True),
    Method("pca", "clean", "principal components, an eighth as many as numbers",
           f"{BASELINES}.principal_components", learns_from=60_000),
    Method("autoencoder", "clean", "gets clean images, returns them", trained=True),
    Method("denoiser", "noisy", "gets noisy images, returns clean ones", trained=True),
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A measure of how close restored images are to the clean ones."""

    name: str
    function: FunctionRef
    title: str
    """Heading of its column in tables of results."""
    digits: int
    """Decimal places there."""
    interval: bool = False
    """Whether its 95 % interval stands beside it there."""


METRICS = (
    Metric("mse", FunctionRef("autoencoders.metrics.quality:mean_squared_error"), "MSE", 5),
    Metric("psnr", FunctionRef("autoencoders.metrics.quality:peak_signal_to_noise_ratio"),
           "PSNR (dB)", 2, interval=True),
    Metric("ssim", FunctionRef("autoencoders.metrics.structural_similarity:structural_similarity"),
           "SSIM", 4),
    Metric("mae", FunctionRef("autoencoders.metrics.mean_absolute_error:mean_absolute_error"),
           "MAE", 5),
)  # fmt: skip

CORRUPTIONS = {
    "gaussian": FunctionRef("autoencoders.images.gaussian_noise:add_gaussian_noise"),
    "salt_and_pepper": FunctionRef("autoencoders.images.salt_and_pepper:add_salt_and_pepper"),
}
"""By the setting `noise.kind`, the function that corrupts images."""
UNCLIPPED = {
    "gaussian": FunctionRef("autoencoders.images.unclipped_noise:add_unclipped_gaussian_noise"),
}
"""The same without clipping to the pixel range, as most papers do it."""
FACTORS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Noise factors of the robustness curve, beside the one of the run."""
CURVE_METRICS = {
    "rounded_psnr": FunctionRef("autoencoders.metrics.rounded_psnr:rounded_psnr"),
}
"""Further measures there: what papers report the mean of."""


@dataclass(frozen=True)
class Figure:
    """A figure: which function draws it, from which files."""

    name: str
    draw: FunctionRef
    inputs: Mapping[str, str]
    """By label in the figure, the name of a file."""
    options: Mapping[str, Any] = field(default_factory=dict)
    images: int = 10
    """How many images of a file are drawn."""
    marks_factor: bool = False
    """Whether it takes the noise factor of the run, as the option `factor`."""


IMAGE_ROWS = FunctionRef("autoencoders.figures.image_rows:image_rows")
DENOISED = ("median", "lmmse", "patches", "denoiser")
"""Methods whose images are shown beside the noisy ones."""
FIGURES = (
    Figure("loss_curves", FunctionRef("autoencoders.figures.loss_curves:loss_curves"),
           {one.name: f"history/{one.name}.csv" for one in METHODS if one.trained}),
    Figure("reconstructions", IMAGE_ROWS,
           {"test image": "images/test/clean", "autoencoder": "first/autoencoder"},
           {"title": "Test images and their reconstructions by the autoencoder"}),
    Figure("noise", IMAGE_ROWS,
           {f"{split}\n{kind}": f"images/{split}/{kind}"
            for split in ("train", "test") for kind in ("clean", "noisy")},
           {"title": "The first images, clean and with {noise}"}),
    Figure("denoising", IMAGE_ROWS,
           {"real": "images/test/clean", "noisy": "images/test/noisy",
            **{name: f"first/{name}" for name in DENOISED}},
           {"title": "Test images: real, with {noise}, denoised"}),
    Figure("architecture", FunctionRef("autoencoders.figures.architecture:architecture"),
           {one.name: f"models/{one.name}_layers.csv" for one in METHODS if one.trained}),
    Figure("score_distribution",
           FunctionRef("autoencoders.figures.score_distribution:score_distribution"),
           {one.name: f"scores/{one.name}" for one in METHODS},
           {"title": "How many test images reach which PSNR, {noise}"}),
    Figure("robustness", FunctionRef("autoencoders.figures.robustness:robustness"),
           {"robustness": "robustness.csv"}, {"title": "Every method at other noise factors"},
           marks_factor=True),
    Figure("class_scores", FunctionRef("autoencoders.figures.class_scores:class_scores"),
           {"groups": "groups"}, {"title": "Every method on all images and by class, {noise}"}),
    Figure("extremes", FunctionRef("autoencoders.figures.extremes:extremes"),
           {"extremes": "extremes.csv",
            **{one.name: f"extremes/{one.name}" for one in METHODS}},
           {"title": "Best, median and worst test image of every method, {noise}"}),
)  # fmt: skip
