"""The fused form of a network: it computes what Keras computes, at a lower cost."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from autoencoders.models.fused import fused_form, predictor
from autoencoders.models.network import build_network
from autoencoders.models.residual import build_residual
from autoencoders.models.upsampling import fold_kernel
from autoencoders.settings import ResidualSettings

CPUINFO = Path("/proc/cpuinfo")
AVX512 = not CPUINFO.exists() or "avx512f" in CPUINFO.read_text()
SMALL = ResidualSettings(width=8, inner_width=12, mixing=True)


def made(shape, sizes=None, skip=True, seed=3):
    """A network with biases, which its initial weights lack: the reference, or a residual one."""
    if sizes is None:
        network = build_network(shape, seed)
    else:
        network = build_residual(shape, seed, sizes, skip=skip)
    rng = np.random.default_rng(1)
    size = 0.05 if sizes is None else 0.01  # residual blocks would add up
    for variable in network.trainable_variables:
        step = size * rng.standard_normal(variable.shape, dtype=np.float32)
        variable.assign(variable + step)
    return network


def outputs_and_gradients(network, function, images):
    """Return the outputs, and the gradients of their squared error for every variable."""

    @tf.function
    def both(images, targets):
        with tf.GradientTape() as tape:
            outputs = function(images)
            loss = tf.reduce_mean(tf.square(outputs - targets))
        return outputs, tape.gradient(loss, network.trainable_variables)

    outputs, gradients = both(tf.constant(images), tf.constant(images[::-1].copy()))
    return outputs.numpy(), [gradient.numpy() for gradient in gradients]


def gradients_in_float64(network, images):
    """Return the gradients of the same network with weights and arithmetic in float64."""
    config = network.get_config()
    for layer in config["layers"]:
        layer["config"]["dtype"] = "float64"
    exact = type(network).from_config(config)
    exact.set_weights(network.get_weights())
    return outputs_and_gradients(
        exact, lambda x: exact(x, training=True), images.astype(np.float64)
    )[1]  # fmt: skip


def distance(found, expected):
    """Relative distance of two arrays, as vectors."""
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((28, 28, 1), 128),
        ((28, 28, 1), 5),
        ((12, 20, 3), 16),
        ((8, 4, 4), 1),
        ((40, 40, 1), 16),
        ((50, 50, 1), 5),
        ((7, 5, 3), 16),
        ((30, 31, 1), 3),
    ],
)
def test_in_float32_it_is_the_same_function(shape, count):
    """Outputs and the gradients of all weights, to 1e-5: Keras's own layers are the measure.

    Among millions of values rounding takes a few across the kink of a ReLU, in either form. Where
    that takes Keras itself further from the gradient in float64, ours may be as far twice over.
    """
    network = made(shape)
    images = np.random.default_rng(0).random((count, *shape), dtype=np.float32)
    theirs = outputs_and_gradients(network, lambda x: network(x, training=True), images)
    ours = outputs_and_gradients(network, fused_form(network, "float32"), images)
    exact = gradients_in_float64(network, images)
    bound = max(1e-5, 2 * max(map(distance, theirs[1], exact)))

    assert distance(ours[0], theirs[0]) < 1e-6
    for found, expected in zip(ours[1], exact, strict=True):
        assert distance(found, expected) < bound


@pytest.mark.parametrize(
    ("shape", "count", "sizes", "skip"),
    [
        ((28, 28, 1), 4, ResidualSettings(mixing=True), True),
        ((28, 28, 1), 5, SMALL, False),
        ((12, 20, 3), 16, SMALL, True),
        ((7, 5, 3), 1, SMALL, True),
        ((30, 31, 1), 3, SMALL, False),
    ],
)
def test_a_residual_network_in_float32_is_the_same_function(shape, count, sizes, skip):
    """Convolutions with stride 2 on folded pixels, sums and products over places."""
    network = made(shape, sizes, skip)
    images = np.random.default_rng(0).random((count, *shape), dtype=np.float32)
    theirs = outputs_and_gradients(network, lambda x: network(x, training=True), images)
    ours = outputs_and_gradients(network, fused_form(network, "float32"), images)

    assert distance(ours[0], theirs[0]) < 1e-5
    for found, expected in zip(ours[1], theirs[1], strict=True):
        assert distance(found, expected) < 1e-5


def test_a_residual_network_in_bfloat16_learns_in_the_same_direction():
    """Its outputs are float32; its gradients are off by a few percent.

    Known and open: without AVX-512, where no run takes bfloat16 by itself, the kernel of `up` is
    off by 12 % (Keras's own by 3 %), though the biases of Keras are off by up to 64 %.
    """
    network = made((28, 28, 1), SMALL)
    images = np.random.default_rng(0).random((16, 28, 28, 1), dtype=np.float32)
    theirs = outputs_and_gradients(network, lambda x: network(x, training=True), images)
    ours = outputs_and_gradients(network, fused_form(network, "bfloat16"), images)

    assert ours[0].dtype == np.float32
    assert len(np.unique(ours[0])) > 0.5 * ours[0].size  # bfloat16 has 128 values from 0.5 to 1
    assert distance(ours[0], theirs[0]) < 0.01
    names = [variable.path for variable in network.trainable_variables]
    for name, found, expected in zip(names, ours[1], theirs[1], strict=True):
        known = name == "up/kernel" and not AVX512
        assert distance(found, expected) < (0.13 if known else 0.1), name


def test_a_residual_network_convolves_at_half_of_the_resolution():
    """What makes it cheap: none of its convolutions sees the pixels unfolded or has a stride."""
    found = operations(fused_form(made((28, 28, 1), SMALL), "float32"), made((28, 28, 1), SMALL))
    convolutions = [one for one in found if one.type == "Conv2D"]

    assert {one.inputs[0].shape[1] for one in convolutions} <= {14, 7}
    assert {tuple(one.get_attr("strides")) for one in convolutions} == {(1, 1, 1, 1)}


@pytest.mark.parametrize(
    ("count", "shape"), [(128, (28, 28, 1)), (5, (28, 28, 1)), (128, (27, 25, 1))]
)
def test_in_bfloat16_every_gradient_points_the_same_way(count, shape):
    """To 3 %, biases too, where TensorFlow's own sums in bfloat16 are off by ten times as much."""
    network = made(shape)
    images = np.random.default_rng(0).random((count, *shape), dtype=np.float32)
    theirs = outputs_and_gradients(network, lambda x: network(x, training=True), images)
    ours = outputs_and_gradients(network, fused_form(network, "bfloat16"), images)

    assert ours[0].dtype == np.float32
    assert distance(ours[0], theirs[0]) < 0.003
    for found, expected in zip(ours[1], theirs[1], strict=True):
        assert found.dtype == np.float32
        assert distance(found, expected) < 0.03


def test_a_folded_kernel_has_the_sums_of_the_rows_that_read_one_pixel():
    """The table in the docstring of `upsampling.py`, for one dimension of a separable kernel."""
    kernel = np.einsum("i,j->ij", [100, 10, 1], [0, 1, 0]).reshape(3, 3, 1, 1).astype(np.float32)
    found = fold_kernel(tf.constant(kernel)).numpy()[..., 0, 0]

    assert found[:, 1].tolist() == [1, 11, 110, 100]


def operations(function, network, count=128):
    """Return the operations in the graph of outputs and gradients."""

    @tf.function
    def both(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(function(images) - images))
        return tape.gradient(loss, network.trainable_variables)

    spec = tf.TensorSpec((count, 28, 28, 1), tf.float32)
    return both.get_concrete_function(spec).graph.get_operations()


def largest_convolved(found):
    """Return how many values the largest tensor has that a convolution reads."""
    return max(one.inputs[0].shape.num_elements() for one in found if one.type == "Conv2D")


def kernel_gradients(found):
    """Count the gradients with respect to kernels in the library's own form."""
    return sum(one.type == "Conv2DBackpropFilter" for one in found)


def test_nothing_is_upsampled_before_it_is_convolved():
    """What makes it cheap: the large tensors that Keras convolves are never made."""
    network = made((28, 28, 1))
    theirs = operations(lambda x: network(x, training=True), network)
    ours = operations(fused_form(network, "float32"), network)

    assert largest_convolved(theirs) == 128 * 28 * 28 * 64
    assert largest_convolved(ours) == 128 * 14 * 14 * 64  # upstream of the folded layer
    assert (kernel_gradients(theirs), kernel_gradients(ours)) == (6, 5)  # the last is a product


def test_in_bfloat16_small_images_have_their_kernel_gradients_as_convolutions():
    """Three of six layers work on 7 x 7 pixels; without whole blocks of images they do not."""
    network = made((28, 28, 1))
    form = fused_form(network, "bfloat16")

    assert kernel_gradients(operations(form, network)) == 2
    assert kernel_gradients(operations(form, network, count=5)) == 5


def test_the_pixels_of_a_cropped_network_are_as_fine_as_of_any():
    """The last layer with weights stays in float32, although cropping comes behind it."""
    network = made((27, 25, 1))
    images = np.random.default_rng(0).random((64, 27, 25, 1), dtype=np.float32)
    found = fused_form(network, "bfloat16")(tf.constant(images)).numpy()

    assert len(np.unique(found)) > 0.5 * found.size  # bfloat16 has 128 values from 0.5 to 1


def test_layers_of_other_kinds_are_called_as_they_are():
    """So a network with other layers is slower, not wrong."""
    layers = keras.layers
    network = keras.Sequential([
        keras.Input((16, 16, 2)),
        layers.Conv2D(4, 5, padding="same", activation="relu"),
        layers.Conv2D(4, 3, strides=2, padding="same"),
        layers.BatchNormalization(),
        layers.Conv2D(8, 3, padding="same", activation="gelu"),  # not monotone
        layers.MaxPooling2D(2),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.UpSampling2D(2),
        layers.Conv2D(6, 3, padding="same", use_bias=False, activation="tanh"),
        layers.Conv2DTranspose(2, 3, padding="same"),
    ])  # fmt: skip
    images = np.random.default_rng(0).random((3, 16, 16, 2), dtype=np.float32)

    found = fused_form(network, "float32")(tf.constant(images))
    assert np.allclose(found, network(images, training=False), atol=1e-5)


@pytest.mark.parametrize(
    ("count", "shape"),
    [(1, (28, 28, 1)), (7, (28, 28, 1)), (300, (28, 28, 1)), (300, (30, 31, 1)), (9, (7, 5, 3))],
)
def test_a_predictor_restores_what_keras_predicts(count, shape):
    """For any number of images, which it processes in parts, of any size."""
    network = made(shape)
    images = np.random.default_rng(0).random((count, *shape), dtype=np.float32)

    found = predictor(network)(images)
    assert found.shape == images.shape
    assert np.allclose(found, network.predict(images, verbose=0), atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_few_channels_need_not_be_the_last(precision):
    """The product is for float32 only; inside a bfloat16 network the transposed form runs."""
    network = keras.Sequential([
        keras.Input((8, 8, 2)),
        keras.layers.UpSampling2D(2),
        keras.layers.Conv2D(3, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(2, 3, padding="same"),
    ])  # fmt: skip
    images = np.random.default_rng(0).random((3, 8, 8, 2), dtype=np.float32)

    found = fused_form(network, precision)(tf.constant(images))
    assert np.allclose(found, network(images), atol=1e-5 if precision == "float32" else 0.02)


def test_a_network_may_branch_and_have_other_layers():
    """Its layers need not follow one another; those of other kinds are called as they are."""
    layers, images = keras.layers, keras.Input((8, 8, 2))
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(images)
    pooled = layers.MaxPooling2D(2)(a)
    b = layers.UpSampling2D(2)(pooled)  # read twice, so no convolution can take it
    c = layers.Conv2D(4, 3, padding="same")(b)
    d = layers.Conv2D(4, 2, strides=2, padding="valid")(layers.Concatenate()([a, b, c]))
    e = layers.LeakyReLU()(layers.Add()([d, d, pooled]))
    f = layers.Conv2DTranspose(2, 6, 2, padding="same", activation="sigmoid")(e)
    network = keras.Model(images, f)
    noise = np.random.default_rng(0).random((3, 8, 8, 2), dtype=np.float32)

    found = fused_form(network, "float32")(tf.constant(noise))
    assert np.allclose(found, network(noise, training=False), atol=1e-5)


def test_a_convolution_with_stride_on_odd_sides_is_called_as_it_is():
    """Only whole squares of 2 x 2 pixels can be folded."""
    network = keras.Sequential([
        keras.Input((7, 9, 2)),
        keras.layers.Conv2D(4, 6, strides=2, padding="same", activation="relu"),
        keras.layers.Conv2D(4, 3, padding="same"),
    ])  # fmt: skip
    images = np.random.default_rng(0).random((3, 7, 9, 2), dtype=np.float32)

    found = fused_form(network, "float32")(tf.constant(images))
    assert np.allclose(found, network(images), atol=1e-5)


def test_a_network_with_a_layer_that_occurs_twice_is_refused():
    """Its outputs could not be told apart by its name."""
    inputs = keras.Input((8, 8, 1))
    layer = keras.layers.Conv2D(1, 3, padding="same")
    with pytest.raises(TypeError, match="occurs twice: conv2d"):
        fused_form(keras.Model(inputs, layer(layer(inputs))), "float32")


def test_a_network_without_a_graph_is_refused():
    """What the layers of such a model do is known to its own code alone."""

    class Own(keras.Model):
        def call(self, images):
            return images

    with pytest.raises(TypeError, match="no graph of layers"):
        fused_form(Own(), "float32")
