"""Which network is trained on what, with what: the part of every job that trains."""

from typing import Any

from autoencoders.settings import ResolvedSettings
from flows.catalogue import METHODS, Method
from flows.evaluation import Files
from tasks.engine.handles import ArtifactRef
from tasks.engine.manifest import Artifact
from tasks.engine.runner import Step, Steps
from tasks.train import train


def train_networks(step: Steps, files: Files, settings: ResolvedSettings) -> None:
    """Train one network per trained method: what goes in differs, and may be the network."""
    for method in METHODS:
        if method.trained:
            made = train_network(step, files, settings, method, f"train {method.name}")
            files[f"models/{method.name}_layers.csv"] = made["layers.csv"]


def train_network(
    step: Steps, files: Files, settings: ResolvedSettings, method: Method, label: str,
    initial: ArtifactRef | None = None,
) -> Artifact:  # fmt: skip
    """Train the network of one method, from the weights of `initial` if there is one."""
    one = training_step(files, settings, method, label)
    made = step(one.label, train, **one.inputs, initial=initial)
    take_network(files, method, made)
    return made


def training_step(files: Files, settings: ResolvedSettings, method: Method, label: str) -> Step:
    """Return the step that trains the network of one method."""
    images = {
        "inputs": files[f"images/train/{method.reads}"], "targets": files["images/train/clean"],
    }  # fmt: skip
    return Step(label, train, {**images, **training_of(settings, method)})


def take_network(files: Files, method: Method, made: Artifact) -> None:
    """Add what a training has made to the files."""
    files[f"models/{method.name}.keras"] = made[f"{method.name}.keras"]
    files[f"history/{method.name}.csv"] = made["history.csv"]


def training_of(settings: ResolvedSettings, method: Method) -> dict[str, Any]:
    """Return all that decides the training of a method's network, beside its images."""
    group = settings.denoiser if method.reads == "noisy" else settings.autoencoder
    fresh_noise = method.reads == "noisy" and settings.denoiser.fresh_noise
    return {
        "role": method.name,
        "seed": settings.seed,
        "training": settings.training,
        "noise_factor": settings.noise.factor if fresh_noise else None,
        "noise_spread": settings.denoiser.noise_spread if fresh_noise else 0,
        "sizes": None if group.network == "reference" else settings.residual,
        "skip": group.network == "unet",
        "code_size": settings.autoencoder.code_size if group.network == "bottleneck" else None,
    }
