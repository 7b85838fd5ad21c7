"""Which layers of Keras's have a form that runs faster: exact questions about a layer.

The conditions name every option that changes what a layer computes, and ask for the exact type: a
subclass may compute anything.
"""

import keras

OVER_PLACES = "npc,pq->nqc"
"""A matrix product over places: n images, p places are read, q are written, c channels."""


def is_convolution(layer: keras.Layer) -> bool:
    """Return whether this is a 3x3 convolution that keeps height and width."""
    return type(layer) is keras.layers.Conv2D and (
        layer.kernel_size, layer.strides, layer.dilation_rate, layer.groups, layer.padding,
        layer.data_format,
    ) == ((3, 3), (1, 1), (1, 1), 1, "same", "channels_last")  # fmt: skip


def is_folding(layer: keras.Layer) -> bool:
    """Return whether this is a convolution with stride 2 that reads whole 2 x 2 squares."""
    return (
        type(layer) is keras.layers.Conv2D
        and (layer.strides, layer.dilation_rate, layer.groups, layer.padding, layer.data_format)
        == ((2, 2), (1, 1), 1, "same", "channels_last")
        and layer.kernel_size in ((2, 2), (6, 6))
        and not any(side % 2 for side in layer.input.shape[1:3])
    )


def is_unfolding(layer: keras.Layer) -> bool:
    """Return whether this is a transposed convolution that writes whole 2 x 2 squares."""
    return (
        type(layer) is keras.layers.Conv2DTranspose
        and (layer.strides, layer.dilation_rate, layer.padding, layer.output_padding,
             layer.data_format) == ((2, 2), (1, 1), "same", None, "channels_last")
        and layer.kernel_size in ((2, 2), (6, 6))
    )  # fmt: skip


def is_pooling(layer: keras.Layer) -> bool:
    """Return whether this is max-pooling that halves height and width."""
    return type(layer) is keras.layers.MaxPooling2D and (
        layer.pool_size, layer.strides, layer.padding, layer.data_format
    ) == ((2, 2), (2, 2), "valid", "channels_last")  # fmt: skip


def is_upsampling(layer: keras.Layer) -> bool:
    """Return whether this repeats each pixel twice in both directions."""
    return type(layer) is keras.layers.UpSampling2D and (
        layer.size, layer.interpolation, layer.data_format
    ) == ((2, 2), "nearest", "channels_last")  # fmt: skip


def is_relu(layer: keras.Layer) -> bool:
    """Return whether this replaces negative values by 0, and does nothing else."""
    return type(layer) is keras.layers.ReLU and (
        layer.max_value, layer.negative_slope, layer.threshold
    ) == (None, 0, 0)  # fmt: skip


def is_sum(layer: keras.Layer) -> bool:
    """Return whether this adds its inputs."""
    return type(layer) is keras.layers.Add


def is_reshape(layer: keras.Layer) -> bool:
    """Return whether this reshapes images to a shape that it states whole."""
    return type(layer) is keras.layers.Reshape and -1 not in layer.target_shape


def is_product_over_places(layer: keras.Layer) -> bool:
    """Return whether this is a matrix product over places, without bias or activation."""
    return type(layer) is keras.layers.EinsumDense and (
        layer.equation, layer.bias, layer.activation
    ) == (OVER_PLACES, None, keras.activations.linear)  # fmt: skip


def is_monotone(activation: object) -> bool:
    """Return whether an activation never falls, so that it commutes with a maximum."""
    return activation in (keras.activations.relu, keras.activations.linear,
                          keras.activations.sigmoid, keras.activations.tanh)  # fmt: skip
