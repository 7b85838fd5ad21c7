"""A family of residual networks on pixels that are folded to depth.

Most of the work is done at a quarter and a sixteenth of the pixels, with many channels, where
processors are fastest. With a connection that skips the middle it is a U-Net, which restores; one
without it is an autoencoder, whose middle is all that the output is made from.
"""

from typing import TYPE_CHECKING, TypeAlias

import keras

from autoencoders.models.borders import NO_BORDER, border_of
from autoencoders.randomness import derived_seed

if TYPE_CHECKING:  # at run time the settings would become part of the code that a cache key covers
    from autoencoders.training_settings import ResidualSettings

Tensor: TypeAlias = "keras.KerasTensor"

FOLDED = 6
"""Side of the kernels that read and write pixels, with stride 2: three by three folded pixels."""
MOST_PLACES = 1024
"""Places in the middle up to which they are mixed; the weights are the square of their number."""
SMALL_START = 0.3
"""Scale of the second convolution of a block at the start, against that of the first: so a block
begins close to the identity, and a chain of them neither grows nor shrinks what passes."""


def build_residual(
    shape: tuple[int, int, int], seed: int, sizes: "ResidualSettings", *, skip: bool
) -> keras.Model:
    """Build a residual network, untrained.

    Its layers are Keras's own, so that a file of it is read by plain Keras. Sides that are no
    multiples of 4 get a border of zeros, as in the reference network.

    Args:
        shape: (height, width, channels), any sizes.
        seed: Seed of the initial weights (He normal, one stream per layer).
        sizes: Channels, blocks, and whether places are mixed.
        skip: Whether what is at half of the resolution is passed on past the middle.

    Returns:
        A model from images in [0, 1] to images in [0, 1] of the same shape, float32.
    """
    build = Layers(seed)
    border = (border_of(shape[0]), border_of(shape[1]))
    images = keras.Input(shape, name="image")  # (n, h, w, c)
    x = images
    if border != NO_BORDER:
        x = keras.layers.ZeroPadding2D(border, name="pad")(x)
    # The same as folding 2 x 2 pixels to depth, and then convolving 3 x 3 of those
    x = build.conv("encode", x, sizes.width, FOLDED, strides=2, activation="relu")
    x = passed = build.block("encode_block", x)  # (n, h/2, w/2, width)
    x = build.conv("down", x, sizes.inner_width, 2, strides=2)  # (n, h/4, w/4, inner width)
    for number in range(1, sizes.blocks + 1):
        if sizes.mixing and x.shape[1] * x.shape[2] <= MOST_PLACES:
            x = build.mixed(f"mix_{number}", x)
        x = build.block(f"block_{number}", x)
    x = keras.layers.ReLU(name="up_relu")(x)
    x = build.enlarge("up", x, sizes.width, 2)  # (n, h/2, w/2, width)
    if skip:
        x = keras.layers.Add(name="skip")([x, passed])
    x = build.block("decode_block", x)
    x = keras.layers.ReLU(name="decode_relu")(x)
    # (n, h, w, c); sigmoid keeps pixels in [0, 1]
    x = build.enlarge("decode", x, shape[2], FOLDED, activation="sigmoid")
    if border != NO_BORDER:
        x = keras.layers.Cropping2D(border, name="crop")(x)
    return keras.Model(images, x, name="unet" if skip else "residual")


class Layers:
    """Layers with a stream of initial weights each, as Keras numbers none."""

    def __init__(self, seed: int) -> None:
        """Derive every stream from `seed`."""
        self.seed = seed

    def conv(
        self, name: str, x: Tensor, filters: int, side: int, *,
        strides: int = 1, activation: str | None = None, scale: float = 1.0,
    ) -> Tensor:  # fmt: skip
        """Convolve; the output has 1 / `strides` of the height and width."""
        return keras.layers.Conv2D(
            filters, side, strides, padding="same", activation=activation, name=name,
            kernel_initializer=self._he(name, side * side * x.shape[3], scale),
        )(x)  # fmt: skip

    def enlarge(
        self, name: str, x: Tensor, filters: int, side: int, *, activation: str | None = None
    ) -> Tensor:
        """Convolve transposed with stride 2; the output has twice the height and width."""
        # Each output pixel reads a quarter of the kernel
        return keras.layers.Conv2DTranspose(
            filters, side, 2, padding="same", activation=activation, name=name,
            kernel_initializer=self._he(name, (side // 2) ** 2 * x.shape[3], 1.0),
        )(x)  # fmt: skip

    def dense(self, name: str, x: Tensor, units: int) -> Tensor:
        """Multiply a vector by a matrix."""
        return keras.layers.Dense(
            units, name=name, kernel_initializer=self._he(name, 2 * x.shape[1], 1.0)
        )(x)

    def block(self, name: str, x: Tensor) -> Tensor:
        """Add to `x` what two convolutions make of it."""
        added = keras.layers.ReLU(name=f"{name}_relu")(x)
        added = self.conv(f"{name}_1", added, x.shape[3], 3, activation="relu")
        added = self.conv(f"{name}_2", added, x.shape[3], 3, scale=SMALL_START)
        return keras.layers.Add(name=name)([x, added])

    def mixed(self, name: str, x: Tensor) -> Tensor:
        """Add to each place a weighted sum over all places, the same for every channel."""
        _, height, width, channels = x.shape
        places = height * width
        added = keras.layers.ReLU(name=f"{name}_relu")(x)
        added = keras.layers.Reshape((places, channels), name=f"{name}_flat")(added)
        added = keras.layers.EinsumDense(
            "npc,pq->nqc", (places, channels), name=f"{name}_places",
            kernel_initializer=keras.initializers.RandomNormal(
                stddev=0.02, seed=derived_seed(self.seed, name)
            ),
        )(added)  # fmt: skip
        added = keras.layers.Reshape((height, width, channels), name=f"{name}_square")(added)
        return keras.layers.Add(name=name)([x, added])

    def _he(self, name: str, reads: int, scale: float) -> keras.initializers.Initializer:
        """Return He's initial weights for outputs of `reads` products each, times `scale`."""
        deviation = scale * (2 / reads) ** 0.5
        return keras.initializers.RandomNormal(stddev=deviation, seed=derived_seed(self.seed, name))
