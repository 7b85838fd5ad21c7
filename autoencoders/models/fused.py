"""The fused form of a network: the same function with the same kernels, at a lower cost.

Four identities make it cheaper: upsampling folds into the convolution after it (`upsampling.py`); a
convolution with stride 2 is one with stride 1 on folded pixels (`folding.py`); a bias and a
monotone activation commute with max-pooling, so they run after it, on a quarter of the values; the
gradient with respect to a kernel is itself a convolution (`convolutions.py`). `docs/speed.md` has
the figures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from autoencoders.models import kinds
from autoencoders.models.convolutions import add_bias, convolve
from autoencoders.models.folding import (
    fold_pixels,
    folded_kernel,
    unfold_pixels,
    unfolding_kernel,
)
from autoencoders.models.layers import Links
from autoencoders.models.upsampling import (
    fold_kernel,
    upsample_convolve,
    upsample_convolve_by_product,
)

if TYPE_CHECKING:  # at run time the settings would become part of the code that a cache key covers
    from autoencoders.training_settings import Precision

Images: TypeAlias = NDArray[np.float32]
Form: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
Operation: TypeAlias = Callable[..., tf.Tensor]

PIXELS = 128 * 28 * 28
"""Pixels restored at a time: more is no faster, and takes more memory."""
ROWS = 128
"""The same for a network whose inputs may be no images."""
FEW_CHANNELS = 4
"""Output channels up to which an upsampling convolution runs as one matrix product."""


@dataclass(frozen=True)
class _Step:
    """One operation of the fused form."""

    operation: Operation
    layers: tuple[keras.Layer, ...]
    """The layers that it stands for, in order: one reads the other."""


def fused_form(network: keras.Model, precision: "Precision") -> Form:
    """Return the function of `network` as operations that run fast and can be differentiated.

    Layers of other kinds are called as they are, in inference mode, so any network computes what
    it predicts; one that behaves differently in training (dropout) needs another form for that.

    Args:
        network: A sequential or functional model with one input and one output, in which no layer
            occurs twice. Its variables are read anew at each call; the form has none of its own.
        precision: Compute dtype of all layers but the last with weights. Weights, that layer and
            its output are float32 in any case.

    Returns:
        A function of images, float32 (n, height, width, channels), whose output is float32. All
        sizes but n must be known when it is traced.

    Raises:
        TypeError: If the network is of another kind.
    """
    links = Links.of(network)
    steps = [
        (step.operation, links.reads[step.layers[0].name], step.layers[-1].name)
        for step in _fused_steps(links, precision)
    ]

    def form(images: tf.Tensor) -> tf.Tensor:
        values = {links.first: images}  # (n, h, w, c), the sizes and dtype of each layer
        for operation, inputs, output in steps:
            values[output] = operation(*(values[name] for name in inputs))
        return tf.cast(values[links.last], tf.float32)

    return form


def applied(network: keras.Model) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return a function that computes any network, such as half of an autoencoder, in float32.

    Args:
        network: Its variables are read anew at each call.

    Returns:
        A function from float32 (n, ...), n at least 1, to float32 (n, ...).
    """
    tf.config.experimental.enable_op_determinism()
    form = tf.function(fused_form(network, "float32"))

    def apply(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = range(0, len(inputs), ROWS)
        return np.concatenate(
            [form(np.array(inputs[start : start + ROWS])).numpy() for start in parts]
        )

    return apply


def predictor(network: keras.Model) -> Callable[[Images], Images]:
    """Return a function that restores images with `network`, in float32.

    Args:
        network: Its variables are read anew at each call.

    Returns:
        A function from float32 (n, height, width, channels), n at least 1, to the same shape. It
        processes `PIXELS` at a time, so that its memory does not grow with n.
    """
    # Restored images are artifacts: equal networks must give equal bytes
    tf.config.experimental.enable_op_determinism()
    _, height, width, _ = network.input_shape
    rows = max(1, PIXELS // (height * width))  # images at a time
    # n stays open, so that a last, smaller part is no reason to trace again
    spec = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    form = tf.function(fused_form(network, "float32"), input_signature=[spec])

    def predict(images: Images) -> Images:
        parts = range(0, len(images), rows)
        return np.concatenate([form(images[start : start + rows]).numpy() for start in parts])

    return predict


def _fused_steps(links: Links, precision: "Precision") -> Iterator[_Step]:
    """Yield the steps of the fused form: up to three layers in one."""
    # The last layer with weights makes the pixels, which may still be cropped; with the 8
    # significant bits of bfloat16 they would come out about as coarse as bytes
    weighted = [layer.name for layer in links.layers if layer.weights]
    done: set[str] = set()
    for layer in links.layers:
        if layer.name in done:
            continue
        group = _group(links, layer)
        done |= {one.name for one in group}
        exact = weighted[-1:] in [[one.name] for one in group]
        dtype = tf.dtypes.as_dtype("float32" if exact else precision)
        yield _Step(_operation(group, dtype), group)


def _group(links: Links, layer: keras.Layer) -> tuple[keras.Layer, ...]:
    """Return this layer, and those after it that become one operation with it."""
    group = [layer]
    # Upsampling belongs to the convolution after it
    if kinds.is_upsampling(layer):
        after = links.only_reader(layer)
        if after is None or not kinds.is_convolution(after):
            return (layer,)
        group.append(after)
    # Max-pooling moves in front of bias and activation; only a monotone one allows it
    if kinds.is_convolution(group[-1]) and kinds.is_monotone(group[-1].activation):
        after = links.only_reader(group[-1])
        if after is not None and kinds.is_pooling(after):
            group.append(after)
    return tuple(group)


def _operation(group: tuple[keras.Layer, ...], dtype: tf.DType) -> Operation:
    """Return what a group of layers computes."""
    layer = group[0]
    if len(group) > 1 or kinds.is_convolution(layer):
        return _convolution(group, dtype)
    forms: tuple[tuple[Callable[[keras.Layer], bool], Callable[[], Operation]], ...] = (
        (kinds.is_folding, lambda: _folding(layer, dtype)),
        (kinds.is_unfolding, lambda: _unfolding(layer, dtype)),
        (kinds.is_product_over_places, lambda: _product_over_places(layer, dtype)),
        # These have no weights and come in whatever dtype arrives
        (kinds.is_relu, lambda: tf.nn.relu),
        (kinds.is_sum, lambda: _sum),
        (kinds.is_reshape, lambda: _reshape(layer)),
    )
    return next((form() for is_kind, form in forms if is_kind(layer)), _unchanged(layer))


def _reshape(layer: keras.Layer) -> Operation:
    return lambda images: tf.reshape(images, (-1, *layer.target_shape))


def _unchanged(layer: keras.Layer) -> Operation:
    def operation(*inputs: tf.Tensor) -> tf.Tensor:
        cast = [tf.cast(one, tf.float32) for one in inputs]
        return layer(cast if len(cast) > 1 else cast[0], training=False)

    return operation


def _convolution(group: tuple[keras.Layer, ...], dtype: tf.DType) -> Operation:
    """Return a 3x3 convolution, with the upsampling before and the pooling after it."""
    upsampled, pooled = kinds.is_upsampling(group[0]), kinds.is_pooling(group[-1])
    layer = group[1] if upsampled else group[0]

    def operation(images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, dtype)
        kernel = tf.convert_to_tensor(layer.kernel)  # (3, 3, i, o), float32
        if not upsampled:
            images = convolve(images, tf.cast(kernel, dtype))  # (n, h, w, o)
        elif layer.filters <= FEW_CHANNELS and dtype == tf.float32:
            images = upsample_convolve_by_product(images, kernel)  # (n, 2h, 2w, o)
        else:
            # Folded in float32 and then cast, so that sums of weights are rounded only once
            images = upsample_convolve(images, tf.cast(fold_kernel(kernel), dtype))
        if pooled:
            images = tf.nn.max_pool2d(images, 2, 2, "VALID")  # (n, h/2, w/2, o)
        return _finished(layer, images)

    return operation


def _folding(layer: keras.Layer, dtype: tf.DType) -> Operation:
    """Return a convolution with stride 2, as one on folded pixels."""

    def operation(images: tf.Tensor) -> tf.Tensor:
        kernel = folded_kernel(tf.convert_to_tensor(layer.kernel))  # (m, m, 4i, o)
        images = convolve(fold_pixels(tf.cast(images, dtype)), tf.cast(kernel, dtype))
        return _finished(layer, images)  # (n, h/2, w/2, o)

    return operation


def _unfolding(layer: keras.Layer, dtype: tf.DType) -> Operation:
    """Return a transposed convolution with stride 2, as one that writes folded pixels."""

    def operation(images: tf.Tensor) -> tf.Tensor:
        kernel = unfolding_kernel(tf.convert_to_tensor(layer.kernel))  # (m, m, i, 4o)
        images = unfold_pixels(convolve(tf.cast(images, dtype), tf.cast(kernel, dtype)))
        return _finished(layer, images)  # (n, 2h, 2w, o)

    return operation


def _product_over_places(layer: keras.Layer, dtype: tf.DType) -> Operation:
    def operation(places: tf.Tensor) -> tf.Tensor:
        kernel = tf.cast(tf.convert_to_tensor(layer.kernel), dtype)  # (p, q)
        # The library's product, whose first operand is the same for all images
        return tf.matmul(kernel[None], tf.cast(places, dtype), transpose_a=True)  # (n, q, c)

    return operation


def _sum(*inputs: tf.Tensor) -> tf.Tensor:
    widest = max((one.dtype for one in inputs), key=lambda dtype: dtype.size)
    return tf.add_n([tf.cast(one, widest) for one in inputs])


def _finished(layer: keras.Layer, images: tf.Tensor) -> tf.Tensor:
    """Add a layer's bias and apply its activation."""
    if layer.use_bias:
        # In float32 TensorFlow's own gradient is as exact
        add = tf.nn.bias_add if images.dtype == tf.float32 else add_bias
        images = add(images, tf.cast(tf.convert_to_tensor(layer.bias), images.dtype))
    return layer.activation(images)
