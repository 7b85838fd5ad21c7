"""Train one network: images in, images out."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencoders.models.validation import split_validation
from autoencoders.randomness import derived_seed
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.checkpoint import load_checkpoint, save_checkpoint
from tasks.formats.keras_files import save_network
from tasks.runtime import import_tensorflow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autoencoders.models.training import Trainer
    from autoencoders.settings import ResolvedTraining

    Arrays = dict[str, NDArray[Any]]
    Images = NDArray[np.float32]
    History = list[tuple[float, float]]

BEST = "best-"
"""Prefix, in a checkpoint, of the weights after the best epoch so far."""


@stage(limit="training")
def train(
    output: Output,
    inputs: ArtifactRef,
    targets: ArtifactRef,
    role: str,
    seed: int,
    training: "ResolvedTraining",
    noise_factor: float | None = None,
) -> None:
    """Write `<role>.keras`, `history.csv` (epoch, loss, val_loss) and `layers.csv`.

    The weights are those after the last epoch or, with `training.keep` best, after that with the
    least validation loss; `history.csv` has every epoch all the same.

    The whole state is kept after every epoch, so a run that was stopped resumes from its last
    finished epoch and ends in the same bytes.

    Args:
        output: Where they go.
        inputs: What the network gets, float32 (n, h, w, c).
        targets: What it should return, of the same shape; may be the same file.
        role: Name of the network; it also decides the initial weights.
        seed: The run's seed.
        training: How it is trained.
        noise_factor: If given, the network learns from `targets` with Gaussian noise that is drawn
            anew in every epoch, of this standard deviation; `inputs` are then used for validation
            alone.
    """
    source = np.load(inputs.path, mmap_mode="r")  # (n, h, w, c)
    # Before TensorFlow is imported: too few images are refused at once
    fit, held_out = split_validation(len(source), training.validation_fraction, seed)
    # One array if both are the same file, as for the plain autoencoder: read once per batch
    aim = source if inputs.sha256 == targets.sha256 else np.load(targets.path, mmap_mode="r")
    import_tensorflow(training.threads, output.log)
    from autoencoders.models.network import build_network
    from autoencoders.models.training import Trainer

    network = build_network(source.shape[1:], derived_seed(seed, "weights", role))
    trainer = Trainer(
        network,
        learning_rate=training.learning_rate,
        batch_size=training.batch_size,
        seed=seed,
        precision=training.precision,
        noise_factor=noise_factor,
    )
    learned = source if noise_factor is None else aim
    data = _Data(learned, source, aim, fit, held_out)
    history, best = _train_epochs(output, trainer, data, role, training)
    trainer.restore({**trainer.state(), **best})
    _write(output, role, network, history)


@dataclass(frozen=True)
class _Data:
    """The images of a training, and which of them serve for what."""

    learned: "Images"
    """What the network gets in training, (n, h, w, c)."""
    validated: "Images"
    """What it gets in validation."""
    targets: "Images"
    fit: "NDArray[np.int64]"
    """Indices of the images to train on."""
    held_out: "NDArray[np.int64]"
    """Indices of the images to validate on."""


def _train_epochs(
    output: Output, trainer: "Trainer", data: _Data, role: str, training: "ResolvedTraining"
) -> "tuple[History, Arrays]":
    """Train up to the last epoch, from the checkpoint if there is one.

    Returns:
        All losses, and the weights after the best epoch; none where the last ones are kept.
    """
    checkpoint, epochs = output.scratch / "epoch.npz", training.epochs
    history, best = _resume(checkpoint, trainer)
    if history:
        share = len(history) / epochs
        output.progress(share, f"{role}: resuming after epoch {len(history)}")

    started, done_before = time.monotonic(), len(history)
    for epoch in range(len(history), epochs):
        begun = time.monotonic()
        loss = trainer.train_epoch(data.learned, data.targets, data.fit, epoch)
        speed = len(data.fit) / (time.monotonic() - begun)
        val_loss = trainer.validate(data.validated, data.targets, data.held_out)
        if training.keep == "best" and all(val_loss < earlier for _, earlier in history):
            best = trainer.weights()
        history.append((loss, val_loss))
        _save(checkpoint, trainer, history, best)
        mean = (time.monotonic() - started) / (epoch + 1 - done_before)
        output.progress(
            (epoch + 1) / epochs,
            f"{role}: epoch {epoch + 1}/{epochs}, loss {loss:.5f}, val_loss {val_loss:.5f}, "
            f"{speed:,.0f} images/s, {_clock(mean * (epochs - epoch - 1))} left",
        )
    return history, best


def _save(checkpoint: Path, trainer: "Trainer", history: "History", best: "Arrays") -> None:
    named = {BEST + name: weights for name, weights in best.items()}
    save_checkpoint(checkpoint, {**trainer.state(), **named, "history": np.array(history)})


def _resume(checkpoint: Path, trainer: "Trainer") -> "tuple[History, Arrays]":
    """Set the trainer to the checkpoint, if there is one; return what `_save` was given."""
    state = load_checkpoint(checkpoint)
    if state is None:
        return [], {}
    history = [(loss, val_loss) for loss, val_loss in state.pop("history").tolist()]
    named = {name: state.pop(name) for name in list(state) if name.startswith(BEST)}
    trainer.restore(state)
    return history, {name.removeprefix(BEST): weights for name, weights in named.items()}


def _write(output: Output, role: str, network: Any, history: "History") -> None:
    import pandas as pd

    from autoencoders.models.network import layer_table

    save_network(network, output.folder / f"{role}.keras")
    layer_table(network).to_csv(output.folder / "layers.csv", index=False)
    table = pd.DataFrame(history, columns=["loss", "val_loss"])
    table.insert(0, "epoch", range(1, len(table) + 1))
    exact = {name: table[name].map(lambda loss: repr(float(loss))) for name in ("loss", "val_loss")}
    table.assign(**exact).to_csv(output.folder / "history.csv", index=False)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
