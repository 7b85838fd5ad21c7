"""What the numbers of a run mean beside each other, in words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flows.catalogue import METHODS

OWN_NOISE = (
    "The noise is the user's own, so other levels of it cannot be drawn: there is no robustness "
    "curve, and no score as in papers."
)
Rows = Sequence[Mapping[str, str]]


def remarks(metrics: Mapping[str, Any], codes: Rows, layers: Rows, *, own_noise: bool) -> list[str]:
    """Say how methods compare, and what their scores stand on.

    Args:
        metrics: The content of `metrics.json`.
        codes: The rows of `linear_codes.csv`.
        layers: The rows of the autoencoder's table of layers.
        own_noise: Whether the noise is the user's own.

    Returns:
        One paragraph each, Markdown.
    """
    found = [
        _gain(metrics), _code(metrics, codes, layers), _papers(metrics), _sample(metrics),
        _copies(metrics), OWN_NOISE if own_noise else "",
        *(f"Left out: `{name}`, {reason}." for name, reason in metrics["left_out"].items()),
    ]  # fmt: skip
    return [text for text in found if text]


def _gain(metrics: Mapping[str, Any]) -> str:
    """Compare the denoiser with the best of the methods that are not trained."""
    others = {
        name: one for name, one in metrics["denoiser"]["against"].items() if one["psnr"] is not None
    }
    if not others:
        return ""
    name = min(others, key=lambda one: float(others[one]["psnr"]))
    gain, interval = others[name]["psnr"], others[name]["psnr_interval"]
    ends = f" (95 % interval {interval[0]:+.2f} to {interval[1]:+.2f})" if interval else ""
    return (
        f"Denoiser against the best untrained method, {name}, on the same "
        f"{others[name]['images']:,} images: {gain:+.2f} dB{ends}."
    )


def _code(metrics: Mapping[str, Any], codes: Rows, layers: Rows) -> str:
    """Compare the autoencoder with linear codes: of the same size, and as good."""
    mse = metrics["autoencoder"]["mse"]
    enough = [row["numbers"] for row in codes if mse is not None and float(row["mse"]) <= mse]
    if not enough:
        return ""
    most, size = len(codes) - 1, code_size(layers)
    if size >= most:
        same = "so it does not compress, and as many would be exact"
    else:
        same = f"as many components reach {_decibels(float(codes[size]['mse']))} dB"
    return (
        f"The autoencoder restores clean images as well as {int(enough[0]):,} of {most:,} "
        f"principal components do. At its narrowest it holds {size:,} numbers for the {most:,} of "
        f"an image, {same}."
    )


def code_size(layers: Rows) -> int:
    """Return the fewest numbers among the layers of least resolution, from a table of layers."""
    shapes = [[int(side) for side in row["output"].split(" x ")] for row in layers]
    return min((math.prod(one[:-1]), math.prod(one)) for one in shapes)[1]


def _decibels(mse: float) -> str:
    return f"{-10 * math.log10(mse):.2f}" if mse > 0 else "-"


def _papers(metrics: Mapping[str, Any]) -> str:
    """Say how the scores came about that papers report."""
    images = [one["as_papers"]["images"] for one in metrics.values()
              if isinstance(one, Mapping) and "as_papers" in one]  # fmt: skip
    if not images:
        return ""
    return (
        "PSNR as in papers on denoising, in dB: the noise is not clipped, outputs are rounded to "
        f"bytes, and the PSNR of images is averaged; on {images[0]:,} images "
        "(`evaluation.curve_images`). All methods get noisy images there; they were trained or "
        "fitted on those of the run."
    )


def _sample(metrics: Mapping[str, Any]) -> str:
    """Say which methods were scored on fewer images."""
    few = {
        method.name: metrics[method.name]["images"]
        for method in METHODS
        if method.name in metrics and metrics[method.name]["images"] < metrics["images"]
    }
    if not few:
        return ""
    return (
        f"Scored on {next(iter(few.values())):,} test images drawn by chance "
        f"(`evaluation.images`), since they take long: {', '.join(few)}."
    )


def _copies(metrics: Mapping[str, Any]) -> str:
    """Say how many test images are train images too."""
    count = metrics["copies_of_train"]
    if count == 0:
        return ""
    beside = "; `metrics.json` has the scores without them" if count < metrics["images"] else ""
    return f"{count:,} of the test images are train images too, pixel by pixel{beside}."
