"""What turns gradients into steps: the optimisers, and how their rate changes over a training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:  # at run time the settings would become part of the code that a cache key covers
    from autoencoders.training_settings import Precision, ResolvedTraining

MOMENTUM = 0.95
"""Muon's: how much of its momentum each step keeps."""
BETA_1, BETA_2 = 0.9, 0.99
"""The same for the two moments of what Muon leaves to Adam."""
EPSILON = 1e-7
SCALE = 0.2
"""Root mean square of an update, in units of the rate; about what Adam does at a fifth of it."""
NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)
"""Coefficients of a polynomial that brings singular values near 1 within few steps."""
STEPS = 5


def make_optimizer(training: "ResolvedTraining", steps: int) -> keras.optimizers.Optimizer:
    """Make the optimiser of a training.

    Args:
        training: Which one, and its settings.
        steps: Length of the whole training, on which the schedule depends.

    Returns:
        An optimiser that has no variables yet.
    """
    # A plain number where the rate never changes
    constant = training.schedule == "constant" and training.warmup == 0
    rate = training.learning_rate if constant else Schedule(training, steps)
    decay = training.weight_decay or None
    match training.optimizer:
        case "rmsprop":
            return keras.optimizers.RMSprop(rate, weight_decay=decay)
        case "adamw":
            return keras.optimizers.AdamW(rate, weight_decay=training.weight_decay)
        case "muon":
            return Muon(rate, training.precision, weight_decay=decay)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A rate that rises linearly at first, and then stays, or falls to 0 at the end.

    Args:
        training: `learning_rate`, `warmup` and `schedule`.
        steps: Length of the whole training.
    """

    def __init__(self, training: "ResolvedTraining", steps: int) -> None:
        self.rate = training.learning_rate
        self.shape = training.schedule
        self.warmup = round(training.warmup * steps)
        self.steps = steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the rate of a step, the first of which is 0."""
        # In the middle of a step, so that neither the first nor the last has a rate of 0
        done = tf.cast(step, tf.float32) + 0.5
        rising = done / max(self.warmup, 1)
        share = (done - self.warmup) / max(self.steps - self.warmup, 1)  # of what comes after
        falling = {
            "constant": tf.ones_like(share),
            "linear": 1 - share,
            "cosine": 0.5 + 0.5 * tf.cos(np.pi * share),
        }[self.shape]
        return self.rate * tf.where(done < self.warmup, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """Return what it was made of, as Keras asks of every schedule."""
        return {"rate": self.rate, "shape": self.shape, "warmup": self.warmup, "steps": self.steps}


class Muon(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Muon for the kernels of convolutions, Adam for all else.

    The momentum of a kernel, as a matrix of what is read by what is written, is replaced by one of
    the same singular vectors whose singular values are all near 1, so no direction is learned
    faster than another. Keras's own Muon takes only variables that are matrices already, which no
    kernel of a convolution is. The first and the last kernel, which read and write pixels, and the
    biases are left to Adam, at a fifth of the rate.

    Args:
        learning_rate: A number or a schedule.
        precision: Dtype in which matrices are multiplied.
        weight_decay: Share of the weights that is taken off per unit of the rate; None takes none.
    """

    def __init__(
        self,
        learning_rate: "float | Schedule",
        precision: "Precision",
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, name="muon")
        self.precision = precision

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the moments of these variables."""
        super().build(variables)
        kernels = [index for index, variable in enumerate(variables) if len(variable.shape) > 1]
        self._orthogonal = set(kernels[1:-1])
        self._momenta = [self.add_variable_from_reference(one, "momentum") for one in variables]
        self._velocities = {
            index: self.add_variable_from_reference(variable, "velocity")
            for index, variable in enumerate(variables)
            if index not in self._orthogonal
        }

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Update one variable; Keras calls this for each of them in every step."""
        index = self._get_variable_index(variable)
        momentum = self._momenta[index]
        if index in self._orthogonal:
            momentum.assign(MOMENTUM * momentum + gradient)
            update = orthogonal_update(gradient + MOMENTUM * momentum, self.precision)
        else:
            update = SCALE * self._adam(gradient, momentum, self._velocities[index])
        variable.assign_sub(learning_rate * update)

    def _adam(
        self, gradient: tf.Tensor, momentum: keras.Variable, velocity: keras.Variable
    ) -> tf.Tensor:
        step = tf.cast(self.iterations + 1, tf.float32)
        momentum.assign(BETA_1 * momentum + (1 - BETA_1) * gradient)
        velocity.assign(BETA_2 * velocity + (1 - BETA_2) * tf.square(gradient))
        mean, square = momentum / (1 - BETA_1**step), velocity / (1 - BETA_2**step)
        return mean / (tf.sqrt(square) + EPSILON)

    def get_config(self) -> dict[str, Any]:
        """Return what it was made of, as Keras asks of every optimiser."""
        return {**super().get_config(), "precision": self.precision}


def orthogonal_update(update: tf.Tensor, precision: "Precision") -> tf.Tensor:
    """Return an update of the same singular vectors, whose singular values are all near one.

    Args:
        update: float32 (..., i, o), not all zero; all but the last dimension are one of a matrix.
        precision: Dtype in which matrices are multiplied.

    Returns:
        float32 of the same shape, with a root mean square of about `SCALE`.
    """
    matrix = tf.reshape(update, (-1, update.shape[-1]))  # (r, c)
    wide = matrix.shape[0] < matrix.shape[1]
    matrix = matrix if wide else tf.transpose(matrix)  # the short side first
    matrix = tf.cast(matrix / (tf.norm(matrix) + EPSILON), precision)
    for _ in range(STEPS):
        a, b, c = NEWTON_SCHULZ
        square = tf.matmul(matrix, matrix, transpose_b=True)  # of the short side
        polynomial = b * square + c * tf.matmul(square, square)
        matrix = a * matrix + tf.matmul(polynomial, matrix)
    scale = SCALE * max(matrix.shape) ** 0.5  # a matrix with singular values 1 has 1 / max(r, c)
    found = scale * tf.cast(matrix if wide else tf.transpose(matrix), tf.float32)
    return tf.reshape(found, update.shape)
