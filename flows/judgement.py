"""What the numbers of a run warn of, in words: a run may finish and its networks be of no use."""

from collections.abc import Mapping, Sequence
from typing import Any

from autoencoders.settings import ResolvedSettings
from flows.catalogue import METHODS, Method

CONSTANT = 0.1
"""Outputs whose spread is below this share of that of the clean images count as all the same. The
best guesses of a network that explains the share R2 of the variance have a share of sqrt(R2), so
this is 1 % of it; the networks of the sample have 75 % after two epochs, and near 100 % at last."""

USUAL_RATES = {"rmsprop": 0.001, "adamw": 0.001, "muon": 0.01}
"""By optimiser, a learning rate that is usual."""

Metrics = Mapping[str, Any]


def warnings(metrics: Metrics, settings: ResolvedSettings) -> list[str]:
    """Say what is wrong with the results of a run.

    Args:
        metrics: The content of `metrics.json`.
        settings: What was run.

    Returns:
        One text per warning, Markdown; none if nothing is wrong.
    """
    found = []
    if metrics["clean"]["spread"] == 0:
        found.append(_equal_images(metrics["images"]))
    for method in METHODS:
        if method.trained:
            found += _of_network(method, metrics, settings)
    return found


def _equal_images(count: int) -> str:
    what = "There is one test image only" if count == 1 else f"All {count:,} test images are equal"
    return (
        f"{what}, so the metrics cannot tell a network that restores what it sees from one that "
        "always gives the same answer. Test on more images."
    )


def _of_network(method: Method, metrics: Metrics, settings: ResolvedSettings) -> list[str]:
    """Warn of one network, of the most basic fault first."""
    mse, spread = metrics[method.name]["mse"], metrics[method.name]["spread"]
    if mse is None or spread is None:
        return [
            f"The {method.name} returns pixels that are not numbers for some test images, so it "
            f"has no mean scores. {_calmer(settings)}"
        ]
    found = []
    clean = metrics["clean"]["spread"]
    if spread < CONSTANT * clean:
        found.append(
            f"The {method.name} returns nearly the same image for every test image: its outputs "
            f"differ from each other by {spread / clean:.1%} of what the clean images do. It has "
            f"learned nothing about single images. {_calmer(settings)}"
        )
    elif 0 < clean**2 < mse:
        found.append(
            f"The {method.name} is worse (MSE {mse:.5f}) than answering with the mean of the clean "
            f"test images every time (MSE {clean**2:.5f}). {_longer(settings)}"
        )
    if method.reads in metrics and "mse" in metrics[method.reads]:
        advice = "" if found else f" {_longer(settings)}"  # once is enough
        found += _against_input(method, mse, metrics[method.reads]["mse"], advice, settings)
    return found


def _against_input(
    method: Method, mse: float, given: float, advice: str, settings: ResolvedSettings
) -> list[str]:
    """Warn of a network that makes its noisy input worse."""
    if given == 0:
        return [
            f"The {method.reads} images are the clean ones (`noise.factor` is "
            f"{settings.noise.factor:g}), so the {method.name} has nothing to remove. Raise it."
        ]
    if mse <= given:
        return []
    return [
        f"The {method.name} makes images worse: what it returns is further from the clean images "
        f"(MSE {mse:.5f}) than the {method.reads} images that it gets (MSE {given:.5f})."
        f"{advice}"
    ]


def _calmer(settings: ResolvedSettings) -> str:
    length = "steps" if settings.training.steps else "epochs"
    return (
        f"Try a smaller `training.learning_rate` ({_rate(settings)}), another `seed`, or more "
        f"{length}, and look for damaged images."
    )


def _longer(settings: ResolvedSettings) -> str:
    training = settings.training
    length = "steps" if training.steps else "epochs"
    return (
        f"Try more {length} (`training.{length}` was {training.steps or training.epochs:,}), more "
        f"train images, or another `training.learning_rate` ({_rate(settings)})."
    )


def _rate(settings: ResolvedSettings) -> str:
    training = settings.training
    return f"it was {training.learning_rate:g}; {USUAL_RATES[training.optimizer]:g} is usual"


def kept_epoch(losses: Sequence[float], keep: str) -> str:
    """Say which epoch's weights were kept, beside the best epoch.

    Args:
        losses: The validation loss after each epoch.
        keep: The setting `training.keep`.
    """
    last, least = losses[-1], min(losses)
    best = losses.index(least) + 1
    if best == len(losses):
        return f"kept epoch {best:,}, validation loss {last:.5f}, the best of all"
    if last == least and keep == "last":
        return (
            f"kept epoch {len(losses):,}, validation loss {last:.5f}, as low as that of "
            f"epoch {best:,}"
        )
    if keep == "best":
        return (
            f"kept epoch {best:,} of {len(losses):,}, validation loss {least:.5f}, the best of "
            f"all; the last had {last:.5f}"
        )
    return (
        f"kept epoch {len(losses):,}, validation loss {last:.5f}; the best was epoch {best:,}, "
        f"{least:.5f}: {1 - least / last:.1%} lower; `training.keep` best would keep it"
    )
