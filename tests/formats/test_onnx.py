"""Networks of Keras as ONNX: the same function, for any layer that is written."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from autoencoders.errors import PipelineError
from autoencoders.models.bottleneck import build_bottleneck
from autoencoders.models.network import build_network
from autoencoders.models.residual import build_residual
from autoencoders.settings import ResidualSettings
from tasks.formats.onnx_graph import onnx_network
from tasks.formats.onnx_int8 import onnx_predictor, write_int8
from tasks.formats.onnx_layers import WRITERS

L = keras.layers
RNG = np.random.default_rng(0)


def model(shape, *layers) -> keras.Model:
    """Return a network of these layers, with weights that are not the initial ones."""
    network = keras.Sequential([keras.Input(shape), *layers])
    network.set_weights([RNG.uniform(0.1, 0.4, one.shape) for one in network.get_weights()])
    return network


def u_net() -> keras.Model:
    """Return a network of the kind of a U-Net, with mixing over all places."""
    image = keras.Input((28, 28, 1))
    blocks = L.Permute((1, 3, 2, 4))(L.Reshape((14, 2, 14, 2))(image))
    high = L.Conv2D(8, 3, padding="same", activation="relu")(L.Reshape((14, 14, 4))(blocks))
    low = L.Conv2D(8, 2, strides=2)(high)
    places = L.Permute((2, 1))(L.Reshape((49, 8))(low))
    mixed = L.Reshape((7, 7, 8))(L.Permute((2, 1))(L.Dense(49)(places)))
    low = L.ReLU()(L.Add()([low, mixed]))
    joined = L.Concatenate()([L.UpSampling2D(2)(low), high])
    pixels = L.Reshape((14, 14, 2, 2))(L.Conv2D(4, 3, padding="same")(joined))
    restored = L.Reshape((28, 28, 1))(L.Permute((1, 3, 2, 4))(pixels))
    return keras.Model(image, L.Activation("sigmoid")(restored))


NETWORKS = {
    "the reference": lambda: build_network((28, 28, 1), 0),
    "odd sizes, colour": lambda: build_network((13, 10, 3), 0),
    "a U-Net": u_net,
    "the presets' U-Net": lambda: build_residual(
        (28, 28, 1), 0, ResidualSettings(width=8, inner_width=12, mixing=True), skip=True
    ),
    "the presets' autoencoder, odd sizes": lambda: build_residual(
        (13, 10, 3), 0, ResidualSettings(width=8, inner_width=12, mixing=True), skip=False
    ),
    "a network that compresses, odd sizes": lambda: build_bottleneck(
        (13, 10, 3), 0, ResidualSettings(width=8, inner_width=12), 5
    ),
    "strides and dilation": lambda: model(
        (9, 8, 2), L.Conv2D(4, 3, strides=2, padding="same"), L.UpSampling2D((2, 2)),
        L.Cropping2D(((0, 1), (0, 0))), L.Conv2D(2, 3, dilation_rate=2, padding="same"),
    ),
    "pooling": lambda: model(
        (9, 8, 2), L.MaxPooling2D(3, strides=1, padding="same"),
        L.AveragePooling2D(3, strides=1, padding="same"),
    ),
    "normalisation and activations": lambda: model(
        (8, 8, 2), L.Conv2D(4, 1), L.BatchNormalization(), L.LeakyReLU(0.2),
        L.Activation("silu"), L.Dropout(0.5), L.Dense(2, activation="tanh"),
    ),
    "groups": lambda: model((8, 8, 4), L.Conv2D(4, 3, groups=2, padding="same", use_bias=False)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("count", [1, 5])
def test_onnx_computes_what_keras_computes(name, count):
    """For one image and for several, to the last bits of float32."""
    network = NETWORKS[name]()
    images = RNG.random((count, *network.input_shape[1:]), dtype=np.float32)

    made = onnx_network(network, WRITERS, "about it")

    session = onnxruntime.InferenceSession(made.SerializeToString())
    [restored] = session.run(["restored"], {"image": images})
    assert restored.shape == images.shape
    assert np.abs(restored - np.asarray(network(images))).max() < 1e-5
    assert onnx.load_from_string(made.SerializeToString()).doc_string == "about it"


def test_images_turn_only_where_they_must():
    """Of a network of convolutions, once at the beginning and once at the end."""
    made = onnx_network(build_network((28, 28, 1), 0), WRITERS, "")

    assert [node.op_type for node in made.graph.node].count("Transpose") == 2


@pytest.mark.parametrize(
    "layer",
    [L.GlobalAveragePooling2D(keepdims=True), L.UpSampling2D(1, interpolation="bilinear"),
     L.Activation("gelu")],
)  # fmt: skip
def test_what_is_not_written_is_refused_with_another_format(layer):
    """A layer, an option, an activation; never a file that computes something else."""
    with pytest.raises(PipelineError, match="not written in the ONNX format") as refused:
        onnx_network(model((8, 8, 1), layer), WRITERS, "")

    assert "--format litert,saved_model" in refused.value.advice


def test_weights_in_bytes_cannot_overflow_on_any_processor(tmp_path):
    """They have 7 bits; without VNNI, an x86 processor adds two products of 8 bits in 16."""
    network = build_network((8, 8, 1), 0)
    images = RNG.random((64, 8, 8, 1), dtype=np.float32)
    (tmp_path / "whole.onnx").write_bytes(onnx_network(network, WRITERS, "").SerializeToString())
    write_int8(tmp_path / "whole.onnx", tmp_path / "int8.onnx", images)

    weights = [
        onnx.numpy_helper.to_array(one)
        for one in onnx.load(tmp_path / "int8.onnx").graph.initializer
        if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4
    ]
    assert len(weights) == 6
    assert max(np.abs(one.astype(int)).max() for one in weights) == 64
    restored = onnx_predictor(tmp_path / "int8.onnx", 1)(images)
    assert np.abs(restored - np.asarray(network(images))).max() < 0.05
