"""The form in which a network runs: exactly its function, from its own kernels, at less cost.

Three identities carry it. A 3x3 convolution of an image enlarged by 2 (nearest) is one transposed
4x4 convolution of the small image, its kernel a fixed linear map of the 3x3 one. A monotone
activation and a bias commute with max-pooling, so they are done on a quarter of the values. The
gradient by a kernel is itself a convolution, of the images' transpose with the gradient's, which
runs faster than the library's own form where images are small. `docs/speed.md` has the figures.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.float32]
Precision: TypeAlias = Literal["float32", "bfloat16"]
Form: TypeAlias = Callable[[tf.Tensor], tf.Tensor]

# A function that returns its value and its gradient; TensorFlow's decorator has no type
_with_gradient: Callable[[Callable[..., Any]], Callable[..., Any]] = tf.custom_gradient

PIXELS = 128 * 28 * 28
"""Pixels restored at a time: more is no faster, and takes the more memory."""
FEW_CHANNELS = 4
"""Up to here an enlarging convolution is one matrix product and a sum of shifted maps."""
SMALL_AREA = 64
"""Pixels of an image up to which the gradient by a kernel runs as a plain convolution."""
BLOCK = 16
"""Images that a batch must be a multiple of for that: they become channels, and the processor
takes 16 of them at a time."""

# Taps (of 4, output o reads input i = (o + 1 - tap) / 2) x rows of the 3x3 kernel: which rows add
# up in a tap. One dimension: even outputs read w0 of the pixel before and w1 + w2 of their own,
# odd ones w0 + w1 of their own and w2 of the pixel after.
_TAPS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)


def execution_form(network: keras.Sequential, precision: Precision) -> Form:
    """Return the function of `network`, as operations that run fast and can be differentiated.

    Layers it does not know are called as they are, in inference mode, so every network is
    computed as it predicts; one that behaves otherwise in training (dropout) needs another form.

    Args:
        network: Its variables are read anew at each call; the form has none of its own.
        precision: In what the layers but the last compute. Weights, the last layer and its
            output are float32 in any case.

    Returns:
        A function of images, float32 (n, height, width, channels); its output is float32. Sizes
        other than n must be known when it is traced.

    Raises:
        TypeError: If the layers need not follow one another, as in a functional model.
    """
    if not isinstance(network, keras.Sequential):
        raise TypeError(f"`network` must be a keras.Sequential. Received: {type(network)}")
    steps = list(_steps(network.layers, precision))

    def form(images: tf.Tensor) -> tf.Tensor:
        for step in steps:
            images = step(images)
        return tf.cast(images, tf.float32)

    return form


def predictor(network: keras.Sequential) -> Callable[[Images], Images]:
    """Return what restores images with `network`, in float32.

    Args:
        network: Its variables are read anew at each call.

    Returns:
        A function of float32 (n, height, width, channels), n at least 1, to the same form. It takes
        them in parts of `PIXELS`, so that its memory does not grow with n.
    """
    tf.config.experimental.enable_op_determinism()
    _, height, width, _ = network.input_shape
    rows = max(1, PIXELS // (height * width))
    spec = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    form = tf.function(execution_form(network, "float32"), input_signature=[spec])

    def predict(images: Images) -> Images:
        parts = range(0, len(images), rows)
        return np.concatenate([form(images[start : start + rows]).numpy() for start in parts])

    return predict


def _steps(layers: list[Any], precision: Precision) -> Iterator[Form]:
    """Yield the layers in the form in which they run, some of them two in one."""
    layers = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
    while layers:
        layer = layers.pop(0)
        enlarged = _is_doubling(layer) and bool(layers) and _is_plain(layers[0])
        if enlarged:
            layer = layers.pop(0)
        elif not _is_plain(layer):
            yield _as_it_is(layer)
            continue
        pooled = bool(layers) and _is_halving(layers[0]) and _is_monotone(layer.activation)
        if pooled:
            layers.pop(0)
        dtype = tf.dtypes.as_dtype(precision if layers else "float32")
        yield _convolution(layer, dtype, enlarged=enlarged, pooled=pooled)


def _as_it_is(layer: keras.Layer) -> Form:
    return lambda images: layer(tf.cast(images, tf.float32), training=False)


def _convolution(layer: keras.Layer, dtype: tf.DType, *, enlarged: bool, pooled: bool) -> Form:
    def step(images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, dtype)
        kernel = tf.convert_to_tensor(layer.kernel)
        if not enlarged:
            images = _convolved(images, tf.cast(kernel, dtype))
        elif layer.filters <= FEW_CHANNELS and dtype == tf.float32:
            images = _doubled_by_product(images, kernel)
        else:
            images = _doubled(images, tf.cast(_four_taps(kernel), dtype))
        if pooled:
            images = tf.nn.max_pool2d(images, 2, 2, "VALID")
        if layer.use_bias:
            add = tf.nn.bias_add if dtype == tf.float32 else _biased
            images = add(images, tf.cast(tf.convert_to_tensor(layer.bias), dtype))
        return layer.activation(images)

    return step


def _is_plain(layer: keras.Layer) -> bool:
    """Tell whether this is a 3x3 convolution that keeps the size."""
    return type(layer) is keras.layers.Conv2D and (
        layer.kernel_size, layer.strides, layer.dilation_rate, layer.groups, layer.padding,
        layer.data_format,
    ) == ((3, 3), (1, 1), (1, 1), 1, "same", "channels_last")  # fmt: skip


def _is_halving(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.MaxPooling2D and (
        layer.pool_size, layer.strides, layer.padding, layer.data_format
    ) == ((2, 2), (2, 2), "valid", "channels_last")  # fmt: skip


def _is_doubling(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.UpSampling2D and (
        layer.size, layer.interpolation, layer.data_format
    ) == ((2, 2), "nearest", "channels_last")  # fmt: skip


def _is_monotone(activation: object) -> bool:
    return activation in (keras.activations.relu, keras.activations.linear,
                          keras.activations.sigmoid, keras.activations.tanh)  # fmt: skip


def _as_convolution(images: tf.Tensor) -> bool:
    """Tell whether the gradient by the kernel runs as a plain convolution over these images.

    Measured on processors alone; a GPU's libraries have a better form of their own.
    """
    count, height, width, _ = images.shape
    return bool(
        images.dtype == tf.bfloat16
        and not tf.config.list_physical_devices("GPU")
        and count is not None and count % BLOCK == 0
        and height * width <= SMALL_AREA
    )  # fmt: skip


@_with_gradient
def _convolved(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Convolve (n, h, w, i) with (3, 3, i, o), stride 1, zeros around."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        by_images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=kernel, out_backprop=upstream,
            strides=[1, 1, 1, 1], padding="SAME",
        )  # fmt: skip
        if _as_convolution(images):
            by_kernel = _correlation(images, upstream, dilation=1)
        else:
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=images, filter_sizes=kernel.shape, out_backprop=upstream,
                strides=[1, 1, 1, 1], padding="SAME",
            )  # fmt: skip
        return by_images, by_kernel

    return tf.nn.conv2d(images, kernel, 1, "SAME"), gradient


@_with_gradient
def _biased(images: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Add (o,) to (n, h, w, o); sum its gradient as a product, which adds up in float32.

    TensorFlow's own gradient adds up in bfloat16, and is off by up to a third.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.reshape(upstream, (-1, upstream.shape[3]))
        ones = tf.ones((1, tf.shape(pixels)[0]), upstream.dtype)
        return upstream, tf.reshape(tf.matmul(ones, pixels), bias.shape)

    return tf.nn.bias_add(images, bias), gradient


def _correlation(large: tf.Tensor, small: tf.Tensor, dilation: int) -> tf.Tensor:
    """Correlate (n, H, W, a) with (n, h, w, b) over images and pixels: (k, k, a, b).

    With a border of one zero around `large`, entry (t, s) is the sum of
    large[n, dilation y + t - 1, dilation x + s - 1] small[n, y, x]: a convolution in which the
    channels a are the images and the images n the channels.
    """
    around = tf.pad(tf.transpose(large, (3, 1, 2, 0)), [[0, 0], [1, 1], [1, 1], [0, 0]])
    kernel = tf.transpose(small, (1, 2, 0, 3))
    found = tf.nn.conv2d(around, kernel, 1, "VALID", dilations=dilation)
    return tf.transpose(found, (1, 2, 0, 3))


def _four_taps(kernel: tf.Tensor) -> tf.Tensor:
    """Fold a 3x3 kernel (3, 3, i, o) into the transposed 4x4 one (4, 4, o, i)."""
    _, _, inputs, outputs = kernel.shape
    taps = tf.matmul(np.kron(_TAPS, _TAPS), tf.reshape(kernel, (9, inputs * outputs)))
    return tf.transpose(tf.reshape(taps, (4, 4, inputs, outputs)), (0, 1, 3, 2))


@_with_gradient
def _doubled(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Convolve (n, h, w, i) transposed with (4, 4, o, i), stride 2: (n, 2h, 2w, o)."""
    _, height, width, _ = images.shape
    shape = (tf.shape(images)[0], 2 * height, 2 * width, kernel.shape[2])

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        by_images = tf.nn.conv2d(upstream, kernel, 2, "SAME")
        if _as_convolution(images):
            by_kernel = _correlation(upstream, images, dilation=2)
        else:
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=upstream, filter_sizes=kernel.shape, out_backprop=images,
                strides=[1, 2, 2, 1], padding="SAME",
            )  # fmt: skip
        return by_images, by_kernel

    return tf.nn.conv2d_transpose(images, kernel, shape, 2, "SAME"), gradient


def _doubled_by_product(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Do the same with few output channels: all taps of a pixel at once, then add them up."""
    _, height, width, inputs = images.shape
    outputs = kernel.shape[3]
    taps = tf.reshape(_four_taps(kernel), (16 * outputs, inputs))
    products = tf.matmul(tf.reshape(images, (-1, inputs)), taps, transpose_b=True)
    maps = tf.reshape(products, (-1, height, width, 4, 4, outputs))
    return _added_up(maps)


@_with_gradient
def _added_up(maps: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Add the taps (n, h, w, 4, 4, o) of pixels into the outputs (n, 2h, 2w, o) they belong to."""
    _, height, width, _, _, outputs = maps.shape
    # Output 2i + p takes the taps 3 - p of input i - 1 + p, and 1 - p + ... of the next one
    pairs = [(p, step, 3 - p - 2 * step) for p in (0, 1) for step in (0, 1)]

    def window(step: int, size: int) -> slice:
        return slice(step, step + size)

    by_tap = tf.transpose(maps, (3, 4, 5, 0, 1, 2))  # (4, 4, o, n, h, w)
    by_tap = tf.pad(by_tap, [[0, 0]] * 4 + [[1, 1], [1, 1]])
    phases = [
        [
            tf.add_n([
                by_tap[t, s, :, :, window(p + dy, height), window(q + dx, width)]
                for p_, dy, t in pairs if p_ == p
                for q_, dx, s in pairs if q_ == q
            ])
            for q in (0, 1)
        ]
        for p in (0, 1)
    ]  # fmt: skip
    placed = tf.stack([tf.stack(row) for row in phases])  # (2, 2, o, n, h, w)
    output = tf.reshape(
        tf.transpose(placed, (3, 4, 0, 5, 1, 2)), (-1, 2 * height, 2 * width, outputs)
    )

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        split = tf.reshape(upstream, (-1, height, 2, width, 2, outputs))
        split = tf.transpose(split, (2, 4, 5, 0, 1, 3))  # (2, 2, o, n, h, w)
        split = tf.pad(split, [[0, 0]] * 4 + [[1, 1], [1, 1]])
        where = {tap: (p, 2 - p - step) for p, step, tap in pairs}
        rows = []
        for t in range(4):
            (p, up), row = where[t], []
            for s in range(4):
                q, left = where[s]
                row.append(split[p, q, :, :, window(up, height), window(left, width)])
            rows.append(tf.stack(row))
        return tf.transpose(tf.stack(rows), (3, 4, 5, 0, 1, 2))

    return output, gradient
