"""The reference network: its layers and its initial weights."""

import numpy as np
import pytest

from autoencoders.models.network import build_network, layer_table

SHAPE = (8, 8, 1)


def test_the_reference_network_has_the_reference_layers():
    """Six convolutions, these shapes, these parameters: the network of the published figures."""
    table = layer_table(build_network((28, 28, 1), seed=0))
    convolutions = table[table["kind"] == "Conv2D"]

    assert convolutions[["output", "activation", "parameters"]].values.tolist() == [
        ["28 x 28 x 32", "relu", 320],
        ["14 x 14 x 64", "relu", 18_496],
        ["7 x 7 x 128", "relu", 73_856],
        ["7 x 7 x 128", "relu", 147_584],
        ["14 x 14 x 64", "relu", 73_792],
        ["28 x 28 x 1", "sigmoid", 577],
    ]
    assert table["kind"].tolist() == [
        "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D",
        "Conv2D", "UpSampling2D", "Conv2D", "UpSampling2D", "Conv2D",
    ]  # fmt: skip
    assert table["parameters"].sum() == 314_625


def test_initial_weights_depend_on_the_seed_alone():
    """Whatever was built before in the process."""
    first, again, other = (build_network(SHAPE, seed) for seed in (1, 1, 2))

    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_a_side_that_cannot_be_halved_twice_is_refused():
    """Upsampling would not lead back to the size that pooling started from."""
    with pytest.raises(ValueError, match="multiples of 4"):
        build_network((30, 28, 1), seed=0)
