"""Train one network: images in, images out."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencoders.randomness import derived_seed
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.checkpoint import load_checkpoint, save_checkpoint
from tasks.formats.keras_files import save_network
from tasks.runtime import import_tensorflow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autoencoders.models.training import Trainer
    from autoencoders.settings import ResolvedTraining

    Images = NDArray[np.float32]
    History = list[tuple[float, float]]


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
    import_tensorflow()
    from autoencoders.models.network import build_network
    from autoencoders.models.training import Trainer, split_validation

    source = np.load(inputs.path, mmap_mode="r")  # (n, h, w, c)
    # One array if both are the same file, as for the plain autoencoder: read once per batch
    aim = source if inputs.sha256 == targets.sha256 else np.load(targets.path, mmap_mode="r")
    fit, held_out = split_validation(len(source), training.validation_fraction, seed)
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
    history = _train_epochs(output, trainer, data, role, training.epochs)
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
    output: Output, trainer: "Trainer", data: _Data, role: str, epochs: int
) -> "History":
    """Train up to `epochs`, from the checkpoint if there is one; return all losses."""
    checkpoint = output.scratch / "epoch.npz"
    history: History = []
    if (state := load_checkpoint(checkpoint)) is not None:
        history = [(loss, val_loss) for loss, val_loss in state.pop("history").tolist()]
        trainer.restore(state)
        share = len(history) / epochs
        output.progress(share, f"{role}: resuming after epoch {len(history)}")

    started, done_before = time.monotonic(), len(history)
    for epoch in range(len(history), epochs):
        begun = time.monotonic()
        loss = trainer.train_epoch(data.learned, data.targets, data.fit, epoch)
        speed = len(data.fit) / (time.monotonic() - begun)
        val_loss = trainer.validate(data.validated, data.targets, data.held_out)
        history.append((loss, val_loss))
        save_checkpoint(checkpoint, {**trainer.state(), "history": np.array(history)})
        mean = (time.monotonic() - started) / (epoch + 1 - done_before)
        output.progress(
            (epoch + 1) / epochs,
            f"{role}: epoch {epoch + 1}/{epochs}, loss {loss:.5f}, val_loss {val_loss:.5f}, "
            f"{speed:,.0f} images/s, {_clock(mean * (epochs - epoch - 1))} left",
        )
    return history


def _write(output: Output, role: str, network: Any, history: "History") -> None:
    import pandas as pd

    from autoencoders.models.network import layer_table

    save_network(network, output.folder / f"{role}.keras")
    layer_table(network).to_csv(output.folder / "layers.csv", index=False)
    table = pd.DataFrame(history, columns=["loss", "val_loss"])
    table.insert(0, "epoch", range(1, len(table) + 1))
    table.to_csv(output.folder / "history.csv", index=False)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
