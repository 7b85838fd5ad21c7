"""A finished run with one small trained network, made in seconds."""

from pathlib import Path

import numpy as np

from autoencoders.settings import Settings
from flows.by_hand import job
from flows.catalogue import CORRUPTIONS
from tasks.add_noise import add_noise
from tasks.engine.runs import Run
from tasks.engine.store import Store
from tasks.resolve import resolve_settings
from tasks.train import train


def train_denoiser(folder: Path, side: int = 12) -> Path:
    """Train a denoiser for one epoch on images of `side` x `side`; return the artifacts."""
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", rng.random((300, side, side, 1), np.float32))
    settings = resolve_settings(Settings(training={"epochs": 1, "precision": "float32"}))

    @job(name="full")
    def run_it():
        data = {"data": folder / "images.npy"}
        with Run(Store(folder / "a"), settings.model_dump(mode="json"), data) as run:
            clean = run.data["data"]
            noisy = run.step(
                "add noise test", add_noise, images=clean, split="test", seed=0,
                noise=settings.noise, corrupt=CORRUPTIONS["gaussian"],
            )  # fmt: skip
            made = run.step(
                "train denoiser", train, inputs=noisy["images.npy"], targets=clean,
                role="denoiser", seed=0, training=settings.training,
            )  # fmt: skip
            run.publish({"models/denoiser.keras": made["denoiser.keras"]})

    run_it()
    return folder / "a"
