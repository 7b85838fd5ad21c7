"""Training an image-to-image network that can stop after any epoch and resume to the same bits."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from autoencoders.errors import DivergedError
from autoencoders.models.augmentation import add_fresh_noise, shift_images
from autoencoders.models.fused import fused_form
from autoencoders.models.validation import Indices
from autoencoders.models.weight_average import WeightAverage
from autoencoders.randomness import derived_seed, generator

if TYPE_CHECKING:  # at run time the settings would become part of the code that a cache key covers
    from autoencoders.training_settings import Precision

Images = NDArray[np.float32]

DIVERGED_ADVICE = (
    "Nothing was published. Try a smaller --training.learning_rate or look for damaged images."
)


class Trainer:
    """One network, its optimiser, and their steps on the mean squared error.

    The order of the images in an epoch depends on (seed, epoch) alone and the state holds every
    variable, so training resumed from a state ends in the same bits as one that never stopped.

    Args:
        network: What is trained, in place; nothing is trained yet.
        optimizer: What turns its gradients into steps; it has made none.
        batch_size: Images per step; the last step of an epoch may have fewer.
        seed: Decides the order of the images in each epoch.
        precision: Compute dtype of all layers but the last; see `fused_form`.
        noise_factor: Standard deviation, in units of the pixel range, of fresh Gaussian noise
            added to the inputs of each training step and clipped to [0, 1]; it depends on (seed,
            epoch, step). None adds none.
        noise_spread: How far from it the deviation of an image may be; see `add_fresh_noise`.
        shift: Most pixels by which an image is moved in each training step; see `shift_images`.
        averaging: If above 0, the decay of a moving average of the weights, which is validated and
            returned in place of the weights themselves; see `WeightAverage`.
    """

    def __init__(
        self,
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        *,
        batch_size: int,
        seed: int,
        precision: "Precision",
        noise_factor: float | None = None,
        noise_spread: float = 0,
        shift: int = 0,
        averaging: float = 0,
    ) -> None:
        # Else some gradients are summed in whatever order the threads finish
        tf.config.experimental.enable_op_determinism()
        self.network = network
        self.optimizer = optimizer
        # Its variables exist from the start, so that a state can be restored before any step
        self.optimizer.build(network.trainable_variables)
        self.batch_size = batch_size
        self.seed = seed
        self.noise_factor = noise_factor
        self.noise_spread = noise_spread
        self.shift = shift
        trained = network.trainable_variables
        self._average = WeightAverage(trained, averaging) if averaging else None
        self._form = fused_form(network, precision)
        # Traced once per batch size, of which there are two (whole batches and the last one):
        # graphs of known shapes run faster
        self._step = tf.function(self._train_step)
        self._loss = tf.function(self._batch_loss)

    def train_epoch(
        self,
        inputs: Images,
        targets: Images,
        indices: Indices,
        epoch: int,
        steps: int | None = None,
        seen: Callable[[int], None] = lambda images: None,
    ) -> float:
        """Train once on every image of `indices`, in the order of this epoch.

        Args:
            inputs: float32 (n, height, width, channels) in [0, 1]; may be memory-mapped.
            targets: What the network should return, in the same shape.
            indices: int64 (m,): the images to train on.
            epoch: Which epoch this is, from 0.
            steps: If given, after how many steps the epoch ends, where it has more.
            seen: Called after each step with the number of images so far.

        Returns:
            The mean squared error over these images, with the weights as they were at each step.

        Raises:
            DivergedError: If the loss of a step is not finite.
        """
        order = generator(self.seed, "shuffle", epoch).permutation(indices)  # (m,)
        if steps is not None:
            order = order[: steps * self.batch_size]
        noise_seed = derived_seed(self.seed, "noise", "epoch", epoch)
        total = 0.0
        for step, batch in enumerate(self._batches(inputs, targets, order)):
            # The seed goes in as an array: a Python number would be traced anew in every step
            loss = float(self._step(*batch, np.array([noise_seed, step], np.int32)))
            if not np.isfinite(loss):
                raise DivergedError(
                    f"The loss became {loss} in epoch {epoch + 1}, step {step + 1}.",
                    DIVERGED_ADVICE,
                )
            total += loss * len(batch[0])  # weighted, since the last batch may be smaller
            seen(min(len(order), (step + 1) * self.batch_size))
        return total / len(order)

    def validate(self, inputs: Images, targets: Images, indices: Indices) -> float:
        """Compute the mean squared error over the images of `indices`, training nothing.

        Args:
            inputs: float32 (n, height, width, channels) in [0, 1]; may be memory-mapped.
            targets: What the network should return, in the same shape.
            indices: int64 (m,): the images to validate on.

        Returns:
            The mean squared error.

        Raises:
            DivergedError: If it is not finite, as after a last step that went too far.
        """
        batches = self._batches(inputs, targets, indices)
        with self._averaged():
            total = sum(float(self._loss(*batch)) * len(batch[0]) for batch in batches)
        if not np.isfinite(total):
            raise DivergedError(f"The validation loss became {total}.", DIVERGED_ADVICE)
        return total / len(indices)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of every variable of the network, the optimiser and the average."""
        return {name: np.asarray(value) for name, value in self._variables()}

    def weights(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the part of the state that is the network: its averages, if any."""
        with self._averaged():
            return {
                name: np.array(value)
                for name, value in self._variables()
                if name.startswith("network-")
            }

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Set every variable to the value it had when `state` was called.

        Args:
            state: What `state` returned, for a network of the same architecture.

        Raises:
            ValueError: If names, shapes or dtypes are not those of this network.
        """
        variables = dict(self._variables())
        expected = {name: (tuple(v.shape), str(v.dtype)) for name, v in variables.items()}
        arrived = {name: (value.shape, str(value.dtype)) for name, value in state.items()}
        # All are checked before any is set, so that a refused state changes nothing
        if arrived != expected:
            raise ValueError(f"`state` is of another network. Received: {arrived}")
        for name, variable in variables.items():
            variable.assign(state[name])

    def _averaged(self) -> AbstractContextManager[None]:
        return self._average.in_place() if self._average else nullcontext()

    def _variables(self) -> Iterator[tuple[str, keras.Variable]]:
        # By position: Keras numbers the names of variables on through a process
        held = {"network": self.network.variables, "optimizer": self.optimizer.variables}
        if self._average:
            held["average"] = self._average.averages
        for owner, variables in held.items():
            for index, variable in enumerate(variables):
                yield f"{owner}-{index}", variable

    def _batches(
        self, inputs: Images, targets: Images, indices: Indices
    ) -> Iterator[tuple[Images, Images]]:
        """Yield one batch after another while the next one is read from the disk."""

        def read(start: int) -> tuple[Images, Images]:
            batch = indices[start : start + self.batch_size]
            images = inputs[batch]  # (b, h, w, c)
            # The plain autoencoder's inputs are its targets: read once
            return images, images if targets is inputs else targets[batch]

        starts = range(0, len(indices), self.batch_size)
        with ThreadPoolExecutor(1) as reader:  # one batch ahead, so memory holds two
            ahead = reader.submit(read, 0)
            for start in starts[1:]:
                batch, ahead = ahead.result(), reader.submit(read, start)
                yield batch
            yield ahead.result()

    def _batch_loss(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        # (b, h, w, c) to a single number; float32, since the fused form returns that
        return tf.reduce_mean(tf.square(self._form(inputs) - targets))

    def _train_step(self, inputs: tf.Tensor, targets: tf.Tensor, step_seed: tf.Tensor) -> tf.Tensor:
        # Known when traced: without shifts or noise, the graph has no trace of them
        if self.shift:
            inputs, targets = (
                shift_images(images, self.shift, step_seed) for images in (inputs, targets)
            )
        # The targets stay clean
        if self.noise_factor is not None:
            inputs = add_fresh_noise(inputs, self.noise_factor, step_seed, self.noise_spread)
        with tf.GradientTape() as tape:
            loss = self._batch_loss(inputs, targets)
        # The variables are float32, and so are their gradients, whatever the compute dtype
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        if self._average:
            self._average.update(self.optimizer.iterations)
        return loss
