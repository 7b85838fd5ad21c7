"""The networks: their layers and their initial weights."""

import numpy as np
import pytest

from autoencoders.models.network import build_network, layer_table
from autoencoders.models.residual import build_residual
from autoencoders.settings import ResidualSettings

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


def test_a_residual_network_works_at_a_half_and_a_quarter_of_the_resolution():
    """The sizes of `docs/recipes.md`; layers of Keras's own, pixels in [0, 1]."""
    sizes = ResidualSettings(width=48, inner_width=128, blocks=3, mixing=True)
    network = build_residual((28, 28, 1), 0, sizes, skip=True)
    table = layer_table(network).set_index("layer")
    images = np.random.default_rng(0).random((2, 28, 28, 1), dtype=np.float32)
    found = network(images).numpy()

    assert table["parameters"].sum() == network.count_params() == 1_028_676
    assert set(table["output"]) == {
        "14 x 14 x 48", "7 x 7 x 128", "49 x 128", "28 x 28 x 1",
    }  # fmt: skip
    assert set(table["kind"]) == {
        "Conv2D", "Conv2DTranspose", "ReLU", "Add", "Reshape", "EinsumDense",
    }  # fmt: skip
    assert found.shape == images.shape
    assert 0 < found.min() < found.max() < 1


def test_only_a_unet_has_a_way_past_the_middle():
    """An autoencoder makes its output of the code alone."""
    sizes = ResidualSettings(width=4, inner_width=6)
    unet, residual = (build_residual(SHAPE, 0, sizes, skip=skip) for skip in (True, False))

    assert [layer.name for layer in unet.layers if layer not in residual.layers].count("skip") == 1
    assert "skip" not in layer_table(residual)["layer"].tolist()
    assert unet.count_params() == residual.count_params()


@pytest.mark.parametrize("shape", [(28, 28, 1), (7, 5, 3), (30, 31, 4), (4, 9, 1)])
def test_a_residual_network_takes_images_of_any_size(shape):
    """The user's size and channels go in and come out."""
    network = build_residual(shape, 0, ResidualSettings(width=4, inner_width=6), skip=True)

    assert (network.input_shape, network.output_shape) == ((None, *shape),) * 2
    assert ("pad" in layer_table(network)["layer"].tolist()) == (shape[0] != 28)


def test_places_are_mixed_up_to_128_by_128_pixels():
    """Beyond, the weights would be more than all others together."""
    sizes = ResidualSettings(width=2, inner_width=2, blocks=1, mixing=True)
    kinds = [
        layer_table(build_residual((side, side, 1), 0, sizes, skip=True))["kind"].tolist()
        for side in (128, 132)
    ]

    assert ["EinsumDense" in one for one in kinds] == [True, False]


def test_residual_weights_depend_on_the_seed_alone():
    """One stream per layer, so another size of image or a block more leaves the others alone."""

    def weights(seed, **sizes):
        network = build_residual(SHAPE, seed, ResidualSettings(width=2, **sizes), skip=True)
        return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}

    first, again, other, more = weights(1), weights(1), weights(2), weights(1, blocks=3)

    for name, (kernel, bias) in first.items():
        assert np.array_equal(kernel, again[name][0])
        assert np.array_equal(kernel, more[name][0])
        assert not np.array_equal(kernel, other[name][0])
        assert not bias.any()
