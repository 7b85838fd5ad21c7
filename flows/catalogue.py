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
    trained: bool = True
    """Whether a network of this name is trained; otherwise its images are those that it reads."""


METHODS = (
    Method("noisy", "noisy", "the noisy test images as they are", trained=False),
    Method("autoencoder", "clean", "gets clean images, returns them"),
    Method("denoiser", "noisy", "gets noisy images, returns clean ones"),
)


@dataclass(frozen=True)
class Metric:
    """A measure of how close restored images are to the clean ones."""

    name: str
    function: FunctionRef
    title: str
    """Heading of its column in tables of results."""
    digits: int
    """Decimal places there."""


METRICS = (
    Metric("mse", FunctionRef("autoencoders.metrics.quality:mean_squared_error"), "MSE", 5),
    Metric("psnr", FunctionRef("autoencoders.metrics.quality:peak_signal_to_noise_ratio"),
           "PSNR (dB)", 2),
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


IMAGE_ROWS = FunctionRef("autoencoders.figures.image_rows:image_rows")
FIGURES = (
    Figure("loss_curves", FunctionRef("autoencoders.figures.loss_curves:loss_curves"),
           {one.name: f"history/{one.name}.csv" for one in METHODS if one.trained}),
    Figure("reconstructions", IMAGE_ROWS,
           {"test image": "images/test/clean", "autoencoder": "images/test/autoencoder"},
           {"title": "Test images and their reconstructions"}),
    Figure("noise", IMAGE_ROWS,
           {f"{split}\n{kind}": f"images/{split}/{kind}"
            for split in ("train", "test") for kind in ("clean", "noisy")},
           {"title": "The first images, clean and noisy"}, images=2),
    Figure("denoising", IMAGE_ROWS,
           {"real": "images/test/clean", "noisy": "images/test/noisy",
            "denoised": "images/test/denoiser"},
           {"title": "Test images: real, noisy, denoised"}),
    Figure("architecture", FunctionRef("autoencoders.figures.architecture:architecture"),
           {one.name: f"models/{one.name}_layers.csv" for one in METHODS if one.trained}),
    Figure("score_distribution",
           FunctionRef("autoencoders.figures.score_distribution:score_distribution"),
           {one.name: f"scores/{one.name}" for one in METHODS},
           {"title": "How many test images reach which PSNR"}),
)  # fmt: skip
