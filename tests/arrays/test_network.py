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


@pytest.mark.parametrize(
    ("sides", "border"),
    [((50, 50), ((1, 1), (1, 1))), ((7, 5), ((0, 1), (1, 2))), ((30, 31), ((1, 1), (0, 1))),
     ((4, 9), ((0, 0), (1, 2)))],
    ids=str,
)  # fmt: skip
def test_any_size_gets_a_border_that_is_cut_off_again(sides, border):
    """As wide on one side as on the other, up to a pixel; the user's size goes in and comes out."""
    network = build_network((*sides, 3), seed=0)
    first, *_, last = network.layers
    table = layer_table(network)

    assert (network.input_shape, network.output_shape) == ((None, *sides, 3),) * 2
    assert (first.padding, last.cropping) == (border, border)
    assert table["layer"].tolist()[::11] == ["pad", "crop"]
    assert table["output"].iloc[-1] == f"{sides[0]} x {sides[1]} x 3"
    assert table["parameters"].sum() == build_network((8, 8, 3), seed=0).count_params()


def test_initial_weights_do_not_depend_on_the_size():
    """A border has no weights, and each layer has a stream of its own."""
    for a, b in zip(
        build_network((8, 8, 1), 1).get_weights(), build_network((7, 5, 1), 1).get_weights(),
        strict=True,
    ):  # fmt: skip
        assert np.array_equal(a, b)


def test_no_layer_is_there_for_nothing():
    """Multiples of 4 have the layers that the reference has."""
    kinds = layer_table(build_network((12, 28, 1), seed=0))["kind"]

    assert len(kinds) == 10
    assert {"Conv2D", "MaxPooling2D", "UpSampling2D"} == set(kinds)
