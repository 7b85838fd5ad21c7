"""An average of the weights over the last steps, which is steadier than the weights themselves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

FIRST_STEPS = 10
"""Delay of the average at the start: after t steps it keeps no more than (1 + t) / (10 + t) of
itself, so the initial weights are soon forgotten. As in TensorFlow's ExponentialMovingAverage."""


class WeightAverage:
    """An exponential moving average of variables.

    Args:
        variables: What is averaged; the average starts from their values.
        decay: What the average keeps of itself in each step, in (0, 1).
    """

    def __init__(self, variables: Sequence[keras.Variable], decay: float) -> None:
        self.variables = variables
        self.decay = decay
        self.averages = [keras.Variable(np.asarray(one), trainable=False) for one in variables]

    def update(self, step: tf.Tensor) -> None:
        """Take in the values after a step, the first of which is 1; part of a graph."""
        done = tf.cast(step, tf.float32)
        decay = tf.minimum(self.decay, (1 + done) / (FIRST_STEPS + done))
        for average, variable in zip(self.averages, self.variables, strict=True):
            average.assign_sub((1 - decay) * (average - variable))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the variables their averages until the end of the context."""
        values = [np.array(one) for one in self.variables]
        try:
            self._assign(self.averages)
            yield
        finally:
            self._assign(values)

    def _assign(self, values: Sequence[object]) -> None:
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
