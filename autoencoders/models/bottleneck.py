"""An autoencoder that compresses: all that its output is made from is a code of a given size."""

from typing import TYPE_CHECKING

import keras

from autoencoders.models.borders import NO_BORDER, border_of
from autoencoders.models.residual import FOLDED, Layers

if TYPE_CHECKING:  # at run time the settings would become part of the code that a cache key covers
    from autoencoders.training_settings import ResidualSettings

CODE = "code"
"""Name of the layer whose output is the code."""


def build_bottleneck(
    shape: tuple[int, int, int], seed: int, sizes: "ResidualSettings", code_size: int
) -> keras.Model:
    """Build an autoencoder with a code of `code_size` numbers, untrained.

    On either side of the code are the residual blocks of the network `residual`, all of them; a
    matrix product leads into the code, and another one out of it.

    Args:
        shape: (height, width, channels), any sizes.
        seed: Seed of the initial weights, one stream per layer.
        sizes: Channels and blocks; places are mixed by the code itself.
        code_size: How many numbers the code has.

    Returns:
        A model from images in [0, 1] to images in [0, 1] of the same shape, float32.
    """
    build = Layers(seed)
    border = (border_of(shape[0]), border_of(shape[1]))
    images = keras.Input(shape, name="image")  # (n, h, w, c)
    x = images
    if border != NO_BORDER:
        x = keras.layers.ZeroPadding2D(border, name="pad")(x)
    x = build.conv("encode", x, sizes.width, FOLDED, strides=2, activation="relu")
    x = build.block("encode_block", x)  # (n, h/2, w/2, width)
    x = build.conv("down", x, sizes.inner_width, 2, strides=2)  # (n, h/4, w/4, inner width)
    for number in range(1, sizes.blocks + 1):
        x = build.block(f"encode_inner_{number}", x)
    inner = x.shape[1:]
    x = keras.layers.ReLU(name="code_relu")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = build.dense(CODE, x, code_size)  # (n, code size)
    x = build.dense("decode_code", x, inner[0] * inner[1] * inner[2])
    x = keras.layers.Reshape(inner, name="square")(x)
    for number in range(1, sizes.blocks + 1):
        x = build.block(f"decode_inner_{number}", x)
    x = keras.layers.ReLU(name="up_relu")(x)
    x = build.enlarge("up", x, sizes.width, 2)  # (n, h/2, w/2, width)
    x = build.block("decode_block", x)
    x = keras.layers.ReLU(name="decode_relu")(x)
    x = build.enlarge("decode", x, shape[2], FOLDED, activation="sigmoid")  # (n, h, w, c)
    if border != NO_BORDER:
        x = keras.layers.Cropping2D(border, name="crop")(x)
    return keras.Model(images, x, name="bottleneck")


def halves(network: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return what makes codes of images, and what makes images of codes.

    Args:
        network: An autoencoder with a layer called `code`; its weights are shared.

    Returns:
        Two models: (n, h, w, c) to (n, code size), and back.

    Raises:
        ValueError: If it has no such layer.
    """
    code = network.get_layer(CODE).output
    return keras.Model(network.input, code), keras.Model(code, network.output)
