"""Train one network: images in, images out."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencoders.errors import PipelineError
from autoencoders.models.validation import split_validation
from autoencoders.randomness import derived_seed
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.checkpoint import load_checkpoint, save_checkpoint
from tasks.formats.keras_files import load_network, save_network
from tasks.runtime import import_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from autoencoders.models.training import Trainer
    from autoencoders.training_settings import ResidualSettings, ResolvedTraining

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
    noise_spread: float = 0,
    sizes: "ResidualSettings | None" = None,
    skip: bool = False,
    code_size: int | None = None,
    initial: ArtifactRef | None = None,
) -> None:
    """Write `<role>.keras`, `history.csv` (epoch, loss, val_loss) and `layers.csv`.

    The weights are those after the last epoch or, with `training.keep` best, after that with the
    least validation loss; `history.csv` has every epoch all the same. With `training.averaging`
    they are averages.

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
        noise_spread: How far the deviation of an image may be from `noise_factor`.
        sizes: If given, the network is a residual one of these sizes instead of the reference's.
        skip: Whether that is a U-Net, in which a connection skips the middle.
        code_size: If given, how many numbers its code has.
        initial: If given, a network whose weights the training starts from.
    """
    source = np.load(inputs.path, mmap_mode="r")  # (n, h, w, c)
    # Before TensorFlow is imported: what cannot be trained is refused at once
    fit, held_out = split_validation(len(source), training.validation_fraction, seed)
    # One array if both are the same file, as for the plain autoencoder: read once per batch
    aim = source if inputs.sha256 == targets.sha256 else np.load(targets.path, mmap_mode="r")
    _require_small_shift(training.shift, source.shape[1:3])
    output.log(f"{role}: {len(fit):,} images to train on, {len(held_out):,} to validate on")
    import_tensorflow(training.threads, output.log)
    from autoencoders.models.optimisers import make_optimizer
    from autoencoders.models.training import Trainer

    network = _build(source.shape[1:], derived_seed(seed, "weights", role), sizes, skip, code_size)
    if initial is not None:
        from autoencoders.models.weights import copy_weights

        copy_weights(load_network(initial.path), network)
    length = Length.of(training, len(fit))
    trainer = Trainer(
        network,
        make_optimizer(training, length.steps),
        batch_size=training.batch_size,
        seed=seed,
        precision=training.precision,
        noise_factor=noise_factor,
        noise_spread=noise_spread,
        shift=training.shift,
        averaging=training.averaging,
    )
    learned = source if noise_factor is None else aim
    data = _Data(learned, source, aim, fit, held_out)
    history, best = _train_epochs(output, trainer, data, role, length, training.keep)
    trainer.restore({**trainer.state(), **(best or trainer.weights())})
    _write(output, role, network, history)


def _require_small_shift(shift: int, sides: tuple[int, int]) -> None:
    most = min(sides) // 2
    if shift > most:
        raise PipelineError(
            f"`training.shift` is {shift}, but images of {sides[0]} x {sides[1]} pixels can be "
            f"shifted by at most half of their shorter side: more would move them out of sight.",
            f"Set --training.shift to {most} or less; 1 to 3 is usual.",
        )


def _build(
    shape: tuple[int, int, int],
    seed: int,
    sizes: "ResidualSettings | None",
    skip: bool,
    code_size: int | None,
) -> Any:
    """Return the network that is asked for, untrained."""
    from autoencoders.models.bottleneck import build_bottleneck
    from autoencoders.models.network import build_network
    from autoencoders.models.residual import build_residual

    if sizes is None:
        return build_network(shape, seed)
    if code_size is not None:
        return build_bottleneck(shape, seed, sizes, code_size)
    return build_residual(shape, seed, sizes, skip=skip)


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


@dataclass(frozen=True)
class Length:
    """How long a training is."""

    steps: int
    per_epoch: int
    """Steps of an epoch; the last one may end earlier."""

    @classmethod
    def of(cls, training: "ResolvedTraining", images: int) -> "Length":
        """Return the length of a training on so many images."""
        per_epoch = math.ceil(images / training.batch_size)
        return cls(training.steps or training.epochs * per_epoch, per_epoch)

    @property
    def epochs(self) -> int:
        """The number of epochs, the last of which may not be whole."""
        return math.ceil(self.steps / self.per_epoch)

    def steps_of(self, epoch: int) -> int:
        """Return the number of steps of an epoch, counted from 0."""
        return min(self.per_epoch, self.steps - epoch * self.per_epoch)


def _train_epochs(
    output: Output, trainer: "Trainer", data: _Data, role: str, length: Length, keep: str
) -> "tuple[History, Arrays]":
    """Train up to the last epoch, from the checkpoint if there is one.

    Returns:
        All losses, and the weights after the best epoch; none where the last ones are kept.
    """
    checkpoint, epochs = output.scratch / "epoch.npz", length.epochs
    history, best = _resume(checkpoint, trainer)
    resuming = f"{role}: resuming after epoch {len(history)}" if history else ""
    output.progress(len(history) / epochs, resuming)  # from here on, it is the training that costs

    def moved(images: int) -> "Callable[[int], None]":
        return lambda seen: output.progress((len(history) + seen / images) / epochs)

    started, done_before = time.monotonic(), len(history)
    for epoch in range(len(history), epochs):
        begun, steps = time.monotonic(), length.steps_of(epoch)
        images = min(len(data.fit), steps * trainer.batch_size)
        loss = trainer.train_epoch(
            data.learned, data.targets, data.fit, epoch, steps, moved(images)
        )
        speed = images / (time.monotonic() - begun)
        val_loss = trainer.validate(data.validated, data.targets, data.held_out)
        if keep == "best" and all(val_loss < earlier for _, earlier in history):
            best = trainer.weights()
        history.append((loss, val_loss))
        _save(checkpoint, trainer, history, best)
        mean = (time.monotonic() - started) / (epoch + 1 - done_before)
        left = f", {_clock(mean * (epochs - epoch - 1))} left" if epoch + 1 < epochs else ""
        output.progress(
            (epoch + 1) / epochs,
            f"{role}: epoch {epoch + 1}/{epochs}, loss {loss:.5f}, val_loss {val_loss:.5f}, "
            f"best {min(one for _, one in history):.5f}, {speed:,.0f} images/s{left}",
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
    return f"{minutes}:{rest:02d}"
