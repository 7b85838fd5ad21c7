"""Which method is scored on what, against what: the part of the main job that measures."""

from collections.abc import Sequence
from typing import Any

from autoencoders.settings import ResolvedSettings
from flows.catalogue import (
    CORRUPTIONS,
    CURVE_METRICS,
    FACTORS,
    METHODS,
    METRICS,
    UNCLIPPED,
    Method,
)
from tasks.engine.handles import ArtifactRef, FunctionRef
from tasks.engine.manifest import Artifact
from tasks.engine.runner import Steps
from tasks.evaluate import evaluate
from tasks.measure_baseline import measure_baseline
from tasks.measure_codes import measure_codes
from tasks.measure_given import measure_given
from tasks.measure_network import measure_network
from tasks.measuring import Exam, Test

Files = dict[str, ArtifactRef]
"""Files by what they are, e.g. `images/test/noisy`; published ones by their place in the folder."""


def score_methods(
    step: Steps, files: Files, settings: ResolvedSettings, *, own_noise: bool,
    methods: Sequence[Method] = METHODS, suffix: str = "",
) -> None:  # fmt: skip
    """Measure how good methods are on the test images, each in one step of its own.

    Args:
        step: Does one step.
        files: What was made so far, and what this adds to it.
        settings: What is computed.
        own_noise: Whether the noise is the user's own. Then no other level of it can be drawn.
        methods: Which methods.
        suffix: What the names of the steps end with.
    """
    for method in methods:
        made = score_method(step, files, settings, method, suffix, own_noise=own_noise)
        for place, name in (
            ("scores", "scores.parquet"), ("levels", "levels.parquet"), ("facts", "facts.json"),
            ("first", "first.npy"), ("extremes", "extremes.npy"), ("gallery", "gallery.npy"),
        ):  # fmt: skip
            files[f"{place}/{method.name}"] = made[name]
        if method.name == "pca":
            made = step(
                "measure codes", measure_codes, images=files["images/test/clean"],
                learned=made["learned.npz"],
            )  # fmt: skip
            files["linear_codes.csv"] = made["linear_codes.csv"]
    compare_methods(step, files, settings, methods, suffix, own_noise=own_noise)


def score_method(
    step: Steps, files: Files, settings: ResolvedSettings, method: Method, suffix: str = "", *,
    own_noise: bool,
) -> Artifact:  # fmt: skip
    """Let a method learn from train images, unless it is a network, and score it."""
    label, threads = f"score {method.name}{suffix}", settings.training.threads
    exam = examination(settings, slow=method.slow, own_noise=own_noise)
    test = {"clean": files["images/test/clean"], "given": files[f"images/test/{method.reads}"]}
    if method.trained:
        network = files[f"models/{method.name}.keras"]
        return step(label, measure_network, test=test, exam=exam, network=network, threads=threads)
    if method.module is None:
        return step(label, measure_given, test=test, exam=exam, threads=threads)
    return measure_classical(step, label, files, settings, method, test, exam, own_noise=own_noise)


def measure_classical(
    step: Steps, label: str, files: Files, settings: ResolvedSettings, method: Method, test: Test,
    exam: Exam, *, own_noise: bool,
) -> Artifact:  # fmt: skip
    """Let a classical method learn from the train images, and score it."""
    return step(
        label, measure_baseline, test=test, exam=exam, threads=settings.training.threads,
        train={"clean": files["images/train/clean"],
               "given": files[f"images/train/{method.reads}"]},
        fit=FunctionRef(f"{method.module}:fit"), restore=FunctionRef(f"{method.module}:restore"),
        learns_from=method.learns_from,
        noise_factor=0.0 if method.reads == "clean" else gaussian_factor(settings, own_noise),
    )  # fmt: skip


def examination(settings: ResolvedSettings, *, slow: bool, own_noise: bool) -> Exam:
    """Return how methods are measured."""
    noise, evaluation = settings.noise, settings.evaluation
    corruptions = {"clipped": CORRUPTIONS[noise.kind]}
    if noise.kind in UNCLIPPED:
        corruptions["unclipped"] = UNCLIPPED[noise.kind]
    return {
        "images": evaluation.images if slow else 0,
        "metrics": {metric.name: metric.function for metric in METRICS},
        "corruptions": {} if own_noise else corruptions,
        "factors": noise_levels(noise.factor),
        "curve_images": evaluation.curve_images,
        "curve_metrics": CURVE_METRICS,
        "seed": settings.seed,
    }


def noise_levels(factor: float) -> list[float]:
    """Return the noise factors at which methods are tried, that of the run among them."""
    return sorted({*FACTORS, factor})


def gaussian_factor(settings: ResolvedSettings, own_noise: bool) -> float | None:
    """Return the standard deviation of the noise; None if it is not known to be Gaussian."""
    known = settings.noise.kind == "gaussian" and not own_noise
    return settings.noise.factor if known else None


def rivals(method: Method) -> list[str]:
    """Return what a method is compared with: for a network, all that does the same untrained."""
    if not method.trained:
        return ["noisy"] if method.reads == "noisy" and method.name != "noisy" else []
    return [one.name for one in METHODS if not one.trained and one.reads == method.reads]


def compare_methods(
    step: Steps, files: Files, settings: ResolvedSettings, methods: Sequence[Method], suffix: str,
    *, own_noise: bool,
) -> None:  # fmt: skip
    """Put the scores of methods side by side."""
    of: Any = {
        place: {one.name: files[f"{place}/{one.name}"] for one in methods}
        for place in ("scores", "levels", "facts")
    }
    made = step(
        f"evaluate{suffix}", evaluate, scores=of["scores"], levels=of["levels"], facts=of["facts"],
        clean={split: files[f"images/{split}/clean"] for split in ("train", "test")},
        labels=files["labels/test"], classes=files["labels/test/classes"],
        against={one.name: rivals(one) for one in methods},
        papers={"noise": "unclipped", "factor": settings.noise.factor},
        resamples=settings.evaluation.resamples, seed=settings.seed,
    )  # fmt: skip
    files["groups"] = made["groups.csv"]
    for name in ("metrics.json", "per_image.parquet", "extremes.csv"):
        files[name] = made[name]
    if not own_noise:
        files["robustness.csv"] = made["robustness.csv"]
    if "per_class.csv" in made.files:  # of images without labels, there are no classes
        files["per_class.csv"] = made["per_class.csv"]
