"""Weights from one network to another."""

import keras

from autoencoders.errors import PipelineError


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Give a network the weights of another one.

    Args:
        source: Whose weights are taken.
        target: Whose weights are replaced.

    Raises:
        PipelineError: If the two do not have the same layers.
    """
    weights = source.get_weights()
    shapes = [[one.shape for one in each] for each in (weights, target.get_weights())]
    if shapes[0] != shapes[1]:
        raise PipelineError(
            "The champion has other layers than the network to be trained, so training cannot "
            "continue from its weights.",
            "Start from scratch: --retrain.start fresh.",
        )
    target.set_weights(weights)
