"""Training an image-to-image network so that it can stop after any epoch and go on exactly."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from autoencoders.errors import PipelineError
from autoencoders.execution import Precision, execution_form
from autoencoders.randomness import derived_seed, generator

Images = NDArray[np.float32]
Indices = NDArray[np.int64]


class DivergedError(PipelineError):
    """The loss is no longer a finite number."""

    def __init__(self, what: str) -> None:
        """Say `what` happened, and what to do."""
        super().__init__(
            f"The {what}. Nothing was published. Try a smaller --training.learning_rate or look "
            "for damaged images."
        )


def split_validation(count: int, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Draw which images are held out for validation.

    Args:
        count: Number of train images.
        fraction: Share held out, in (0, 1).
        seed: The run's seed; equal arguments give the equal split.

    Returns:
        Indices to train on and indices to validate on, both sorted; together every image once.

    Raises:
        PipelineError: If one of the two would be empty.
    """
    held_out = round(count * fraction)
    if not 0 < held_out < count:
        raise PipelineError(
            f"{count} train images cannot be split with a validation fraction of {fraction}: "
            "both sides need at least one image. Give more images or another "
            "--training.validation_fraction."
        )
    order = generator(seed, "validation").permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def with_fresh_noise(images: tf.Tensor, noise_factor: float, seed: tf.Tensor) -> tf.Tensor:
    """Do what `noise.add_gaussian_noise` does, within a graph.

    Args:
        images: float32 in [0, 1], of known shape.
        noise_factor: Standard deviation of the noise in units of the pixel range.
        seed: int32 (2,); equal seeds give equal noise.
    """
    noise = tf.random.stateless_normal(images.shape, seed, stddev=noise_factor)
    return tf.clip_by_value(images + noise, 0, 1)


class Trainer:
    """One network, its optimiser, and the steps of RMSprop on the mean squared error.

    The order of the images in an epoch depends on (seed, epoch) alone and the state holds every
    variable, so training that goes on from a state ends in the same bits as one that never stopped.
    """

    def __init__(
        self,
        network: keras.Sequential,
        learning_rate: float,
        batch_size: int,
        seed: int,
        precision: Precision,
        fresh_noise: float | None = None,
    ) -> None:
        """Prepare `network` for training; nothing is trained yet.

        Args:
            network: What is trained, in place.
            learning_rate: Of RMSprop.
            batch_size: Images a step; the last step of an epoch may have fewer.
            seed: Decides the order of the images in each epoch.
            precision: In what the layers but the last compute; see `execution_form`.
            fresh_noise: Standard deviation of Gaussian noise, in units of the pixel range, that
                the inputs of each training step get, clipped to [0, 1]; it depends on (seed, epoch,
                step). None adds nothing.
        """
        tf.config.experimental.enable_op_determinism()
        self.network = network
        self.optimizer = keras.optimizers.RMSprop(learning_rate)
        self.optimizer.build(network.trainable_variables)
        self.batch_size = batch_size
        self.seed = seed
        self.fresh_noise = fresh_noise
        self._form = execution_form(network, precision)
        # Traced for each number of images there is, which is two: known sizes run faster
        self._step = tf.function(self._train_step)
        self._loss = tf.function(self._batch_loss)

    def train_epoch(self, inputs: Images, targets: Images, indices: Indices, epoch: int) -> float:
        """Take every image of `indices` once, in the order of this epoch.

        Args:
            inputs: float32 (n, height, width, channels) in [0, 1]; may be memory-mapped.
            targets: The same form: what the network should answer.
            indices: int64 (m,): the images to train on.
            epoch: Which epoch this is, from 0.

        Returns:
            The mean squared error over the epoch, as the weights were at each step.

        Raises:
            DivergedError: If the loss of a step is not finite.
        """
        order = generator(self.seed, "shuffle", epoch).permutation(indices)
        noise_seed = derived_seed(self.seed, "noise", "epoch", epoch)
        total = 0.0
        for step, batch in enumerate(self._batches(inputs, targets, order)):
            loss = float(self._step(*batch, np.array([noise_seed, step], np.int32)))
            if not np.isfinite(loss):
                raise DivergedError(f"loss became {loss} in epoch {epoch + 1}, step {step + 1}")
            total += loss * len(batch[0])
        return total / len(order)

    def validate(self, inputs: Images, targets: Images, indices: Indices) -> float:
        """Return the mean squared error over the images of `indices`, training nothing.

        Raises:
            DivergedError: If it is not finite, as after a last step that went too far.
        """
        batches = self._batches(inputs, targets, indices)
        total = sum(float(self._loss(*batch)) * len(batch[0]) for batch in batches)
        if not np.isfinite(total):
            raise DivergedError(f"validation loss became {total}")
        return total / len(indices)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Copy every variable of the network and the optimiser."""
        return {name: np.asarray(value) for name, value in self._variables()}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Set every variable to a value that `state` returned.

        Raises:
            ValueError: If names, shapes or dtypes are not those of this network.
        """
        variables = dict(self._variables())
        expected = {name: (tuple(v.shape), str(v.dtype)) for name, v in variables.items()}
        arrived = {name: (value.shape, str(value.dtype)) for name, value in state.items()}
        if arrived != expected:
            raise ValueError(f"`state` is of another network. Received: {arrived}")
        for name, variable in variables.items():
            variable.assign(state[name])

    def _variables(self) -> Iterator[tuple[str, keras.Variable]]:
        for owner, holder in (("network", self.network), ("optimizer", self.optimizer)):
            for index, variable in enumerate(holder.variables):
                yield f"{owner}-{index}", variable

    def _batches(
        self, inputs: Images, targets: Images, indices: Indices
    ) -> Iterator[tuple[Images, Images]]:
        """Yield batch after batch, the next one being read from the disk meanwhile."""

        def taken(start: int) -> tuple[Images, Images]:
            batch = indices[start : start + self.batch_size]
            read = inputs[batch]
            return read, read if targets is inputs else targets[batch]

        starts = range(0, len(indices), self.batch_size)
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(taken, 0)
            for start in starts[1:]:
                batch, ahead = ahead.result(), reader.submit(taken, start)
                yield batch
            yield ahead.result()

    def _batch_loss(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self._form(inputs) - targets))

    def _train_step(
        self, inputs: tf.Tensor, targets: tf.Tensor, noise_seed: tf.Tensor
    ) -> tf.Tensor:
        if self.fresh_noise is not None:
            inputs = with_fresh_noise(inputs, self.fresh_noise, noise_seed)
        with tf.GradientTape() as tape:
            loss = self._batch_loss(inputs, targets)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss
