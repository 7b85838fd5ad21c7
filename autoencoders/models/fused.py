"""The fused form of a network: the same function with the same kernels, at a lower cost.

Three identities make it cheaper: upsampling folds into the convolution after it (`upsampling.py`);
a bias and a monotone activation commute with max-pooling, so they run after it, on a quarter of the
values; the gradient with respect to a kernel is itself a convolution (`convolutions.py`).
`docs/speed.md` has the figures.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from autoencoders.models.convolutions import add_bias, convolve
from autoencoders.models.upsampling import (
    fold_kernel,
    upsample_convolve,
    upsample_convolve_by_product,
)

if TYPE_CHECKING:  # at run time the settings would become part of the code that a cache key covers
    from autoencoders.settings import Precision

Images: TypeAlias = NDArray[np.float32]
Form: TypeAlias = Callable[[tf.Tensor], tf.Tensor]

PIXELS = 128 * 28 * 28
"""Pixels restored at a time: more is no faster, and takes more memory."""
FEW_CHANNELS = 4
"""Output channels up to which an upsampling convolution runs as one matrix product."""


def fused_form(network: keras.Sequential, precision: "Precision") -> Form:
    """Return the function of `network` as operations that run fast and can be differentiated.

    Layers of other kinds are called as they are, in inference mode, so any network computes what
    it predicts; one that behaves differently in training (dropout) needs another form for that.

    Args:
        network: Its variables are read anew at each call; the form has none of its own.
        precision: Compute dtype of all layers but the last with weights. Weights, that layer and
            its output are float32 in any case.

    Returns:
        A function of images, float32 (n, height, width, channels), whose output is float32. All
        sizes but n must be known when it is traced.

    Raises:
        TypeError: If the layers need not follow one another, as in a functional model.
    """
    if not isinstance(network, keras.Sequential):
        raise TypeError(f"`network` must be a keras.Sequential. Received: {type(network)}")
    steps = list(_fused_steps(network.layers, precision))

    def form(images: tf.Tensor) -> tf.Tensor:
        for step in steps:
            images = step(images)  # (n, h, w, c), the sizes and dtype of the next layer
        return tf.cast(images, tf.float32)

    return form


def predictor(network: keras.Sequential) -> Callable[[Images], Images]:
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


def _fused_steps(layers: list[Any], precision: "Precision") -> Iterator[Form]:
    """Yield the steps of the fused form: up to three layers in one."""
    layers = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
    while layers:
        layer = layers.pop(0)
        # Upsampling belongs to the convolution after it
        upsampled = _is_upsampling(layer) and bool(layers) and _is_convolution(layers[0])
        if upsampled:
            layer = layers.pop(0)
        elif not _is_convolution(layer):
            yield _unchanged(layer)
            continue
        # Max-pooling moves in front of bias and activation; only a monotone one allows it
        pooled = bool(layers) and _is_pooling(layers[0]) and _is_monotone(layer.activation)
        if pooled:
            layers.pop(0)
        # The last layer with weights makes the pixels, which may still be cropped; with the 8
        # significant bits of bfloat16 they would come out about as coarse as bytes
        last = not any(later.weights for later in layers)
        dtype = tf.dtypes.as_dtype("float32" if last else precision)
        yield _convolution_step(layer, dtype, upsampled=upsampled, pooled=pooled)


def _unchanged(layer: keras.Layer) -> Form:
    return lambda images: layer(tf.cast(images, tf.float32), training=False)


def _convolution_step(
    layer: keras.Layer, dtype: tf.DType, *, upsampled: bool, pooled: bool
) -> Form:
    def step(images: tf.Tensor) -> tf.Tensor:
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
        if layer.use_bias:
            # In float32 TensorFlow's own gradient is as exact
            add = tf.nn.bias_add if dtype == tf.float32 else add_bias
            images = add(images, tf.cast(tf.convert_to_tensor(layer.bias), dtype))
        return layer.activation(images)

    return step


# The conditions name every option that changes what a layer computes, and ask for the exact type:
# a subclass may compute anything.


def _is_convolution(layer: keras.Layer) -> bool:
    """Return whether this is a 3x3 convolution that keeps height and width."""
    return type(layer) is keras.layers.Conv2D and (
        layer.kernel_size, layer.strides, layer.dilation_rate, layer.groups, layer.padding,
        layer.data_format,
    ) == ((3, 3), (1, 1), (1, 1), 1, "same", "channels_last")  # fmt: skip


def _is_pooling(layer: keras.Layer) -> bool:
    """Return whether this is max-pooling that halves height and width."""
    return type(layer) is keras.layers.MaxPooling2D and (
        layer.pool_size, layer.strides, layer.padding, layer.data_format
    ) == ((2, 2), (2, 2), "valid", "channels_last")  # fmt: skip


def _is_upsampling(layer: keras.Layer) -> bool:
    """Return whether this repeats each pixel twice in both directions."""
    return type(layer) is keras.layers.UpSampling2D and (
        layer.size, layer.interpolation, layer.data_format
    ) == ((2, 2), "nearest", "channels_last")  # fmt: skip


def _is_monotone(activation: object) -> bool:
    return activation in (keras.activations.relu, keras.activations.linear,
                          keras.activations.sigmoid, keras.activations.tanh)  # fmt: skip
