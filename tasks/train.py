"""Train one network: images in, images out."""

import time
from typing import TYPE_CHECKING

import numpy as np

from autoencoders.randomness import derived_seed
from tasks.checkpoint import load_checkpoint, save_checkpoint
from tasks.keras_files import save_network
from tasks.machine import training_turn
from tasks.progress import Progress
from tasks.stage import stage
from tasks.store import ArtifactRef, Output

if TYPE_CHECKING:
    from autoencoders.settings import NoiseSettings, TrainingSettings

HISTORY = ["loss", "val_loss"]


@stage
@training_turn()
def train(
    output: Output,
    inputs: ArtifactRef,
    targets: ArtifactRef,
    role: str,
    seed: int,
    training: "TrainingSettings",
    fresh_noise: "NoiseSettings | None" = None,
) -> None:
    """Write `<role>.keras`, `history.csv` (epoch, loss, val_loss) and `layers.csv`.

    With `fresh_noise` the network learns from `targets` with noise that is new in every epoch;
    `inputs` are what it is validated on.

    After every epoch the whole state is kept, so a run that was stopped goes on from its last
    finished epoch and ends in the same bytes.
    """
    import pandas as pd

    if training.precision == "auto":
        raise ValueError("`training.precision` must be settled before it gets into a key.")
    from autoencoders.network import build_network, layer_table
    from autoencoders.training import Trainer, split_validation

    # One array when both are the same file, as for the plain autoencoder
    source = np.load(inputs.path, mmap_mode="r")  # (n, h, w, c)
    aim = source if inputs.sha256 == targets.sha256 else np.load(targets.path, mmap_mode="r")
    fit, held_out = split_validation(len(source), training.validation_fraction, seed)
    network = build_network(source.shape[1:], derived_seed(seed, "weights", role))
    trainer = Trainer(
        network,
        training.learning_rate,
        training.batch_size,
        seed,
        training.precision,
        fresh_noise=fresh_noise.factor if fresh_noise else None,
    )
    learned = aim if fresh_noise else source

    checkpoint = output.scratch / "epoch.npz"
    history: list[tuple[float, float]] = []
    if (state := load_checkpoint(checkpoint)) is not None:
        history = [(loss, validation) for loss, validation in state.pop("history").tolist()]
        trainer.restore(state)
    progress = Progress(f"train-{role}", f"Training of the {role}")
    if history:
        progress.show(
            len(history) / training.epochs, f"{role}: going on after epoch {len(history)}"
        )

    started, done_before = time.monotonic(), len(history)
    for epoch in range(len(history), training.epochs):
        begun = time.monotonic()
        loss = trainer.train_epoch(learned, aim, fit, epoch)
        speed = len(fit) / (time.monotonic() - begun)
        history.append((loss, trainer.validate(source, aim, held_out)))
        save_checkpoint(checkpoint, {**trainer.state(), "history": np.array(history)})
        mean = (time.monotonic() - started) / (epoch + 1 - done_before)
        progress.show(
            (epoch + 1) / training.epochs,
            f"{role}: epoch {epoch + 1}/{training.epochs}, loss {loss:.5f}, "
            f"val_loss {history[-1][1]:.5f}, {speed:,.0f} images/s, "
            f"{_clock(mean * (training.epochs - epoch - 1))} left",
        )

    save_network(network, output.folder / f"{role}.keras")
    layer_table(network).to_csv(output.folder / "layers.csv", index=False)
    table = pd.DataFrame(history, columns=HISTORY)
    table.insert(0, "epoch", range(1, len(table) + 1))
    table.to_csv(output.folder / "history.csv", index=False)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
