"""The reference network, and its table of layers."""

from collections.abc import Callable

import keras
import pandas as pd

from autoencoders.models.borders import NO_BORDER, border_of
from autoencoders.randomness import derived_seed


def build_network(shape: tuple[int, int, int], seed: int) -> keras.Model:
    """Build the reference convolutional autoencoder, untrained.

    The code in the middle has (height / 4) x (width / 4) x 128 values, 6,272 for the 784 pixels
    of a 28 x 28 image: a bottleneck in resolution, not a compression.

    Sides that cannot be halved twice get a border of zeros, as wide on one side as on the other up
    to a pixel, which is cut off again at the end; the network takes and returns `shape`, and no
    loss counts the border.

    Args:
        shape: (height, width, channels), any sizes.
        seed: Seed of the initial weights (Glorot uniform, one stream per layer).

    Returns:
        A model from images in [0, 1] to images in [0, 1] of the same shape, float32.
    """
    height, width, channels = shape
    border = (border_of(height), border_of(width))
    bordered = border != NO_BORDER
    conv = _convolutions(seed)
    layers = [
        keras.Input(shape, name="image"),  # (n, h, w, c)
        # From here to the last layer, h and w are the next multiples of 4
        *([keras.layers.ZeroPadding2D(border, name="pad")] if bordered else []),
        conv("encode_1", 32, "relu"),
        keras.layers.MaxPooling2D(2, name="pool_1"),  # (n, h/2, w/2, 32)
        conv("encode_2", 64, "relu"),
        keras.layers.MaxPooling2D(2, name="pool_2"),  # (n, h/4, w/4, 64)
        conv("encode_3", 128, "relu"),  # (n, h/4, w/4, 128), the code
        conv("decode_1", 128, "relu"),
        keras.layers.UpSampling2D(2, name="upsample_1"),  # (n, h/2, w/2, 128)
        conv("decode_2", 64, "relu"),
        keras.layers.UpSampling2D(2, name="upsample_2"),  # (n, h, w, 64)
        conv("decode_3", channels, "sigmoid"),  # (n, h, w, c); sigmoid keeps pixels in [0, 1]
        *([keras.layers.Cropping2D(border, name="crop")] if bordered else []),
    ]
    return keras.Sequential(layers, name="autoencoder")


def _convolutions(seed: int) -> Callable[[str, int, str], keras.layers.Layer]:
    """Return a factory of 3x3 convolutions."""

    def conv(name: str, filters: int, activation: str) -> keras.layers.Layer:
        # A seed per layer, so that a layer more or less leaves the others' initial weights alone
        initializer = keras.initializers.GlorotUniform(seed=derived_seed(seed, name))
        return keras.layers.Conv2D(
            filters, 3, padding="same", activation=activation, name=name,
            kernel_initializer=initializer,
        )  # fmt: skip

    return conv


def layer_table(network: keras.Model) -> pd.DataFrame:
    """List the layers of a network in order.

    Args:
        network: A built network.

    Returns:
        One row per layer but the input: `layer` (its name), `kind`, `output` (its shape without
        the batch), `activation` (empty if it has none) and `parameters` (their number).
    """
    rows = [
        {
            "layer": layer.name,
            "kind": type(layer).__name__,
            "output": " x ".join(map(str, layer.output.shape[1:])),
            "activation": layer.activation.__name__ if hasattr(layer, "activation") else "",
            "parameters": layer.count_params(),
        }
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)  # which a sequential model does not list
    ]
    return pd.DataFrame(rows)
