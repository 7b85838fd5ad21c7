"""The settings of the two networks and of their training."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from autoencoders.settings_group import SettingsGroup

Precision: TypeAlias = Literal["float32", "bfloat16"]


class TrainingSettings(SettingsGroup):
    """How both networks are trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Number of passes over the training images."""

    steps: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Number of training steps, in as many epochs as they take; 0 leaves the length to `epochs`."""

    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    """Images per training step."""

    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images held out for validation; the test images are never used for
    it."""

    optimizer: Literal["rmsprop", "adamw", "muon"] = "rmsprop"
    """What turns gradients into steps: rmsprop with Keras's defaults, adamw, or muon, which is Muon
    for the kernels of convolutions and Adam for all else."""

    learning_rate: Annotated[float, Field(ge=1e-9, le=1)] = 0.001
    """Learning rate, at its highest; usual are 0.001 for rmsprop and adamw, and 0.01 for muon."""

    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """What becomes of the learning rate: it stays, or falls to 0 at the end of the training along a
    cosine or a line."""

    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training over which the learning rate rises from 0 at first."""

    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the weights that each step takes off, in units of the learning rate."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Compute dtype of training. auto picks bfloat16 on machines with hardware support for it and
    float32 on all others, where bfloat16 takes several times as long."""

    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    """Threads per operation; 0 takes one per core that the process may use. The number decides the
    last bits of sums, so only equal numbers give equal bytes."""

    keep: Literal["last", "best"] = "last"
    """Which weights are kept: those after the last epoch, as in the course, or those after the
    epoch with the least validation loss, the earliest one if several are equal."""


class AutoencoderSettings(SettingsGroup):
    """What is special about training the plain autoencoder."""

    network: Literal["reference", "residual", "bottleneck"] = "reference"
    """Its network: that of the course; residual blocks around a code of height / 4 x width / 4 x
    `residual.inner_width` numbers; or the same around a code of `code_size` numbers."""

    code_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Numbers in the code of the network `bottleneck`: what it keeps of an image."""


class DenoiserSettings(SettingsGroup):
    """What is special about training the denoiser."""

    fresh_noise: bool = False
    """Whether the training images get new noise in every epoch instead of noise drawn once, which
    a network can memorise. Validation and test images keep the noise drawn once. Needs noise of
    kind gaussian."""

    noise_spread: Annotated[float, Field(ge=0, le=10)] = 0.0
    """How far the fresh noise of a training image may be from `noise.factor`: each image has a
    strength of its own, drawn evenly from this range. 0 gives all the same."""

    network: Literal["reference", "unet"] = "reference"
    """Its network: that of the course, or residual blocks with a connection that skips the middle;
    `residual` has the sizes."""

    @model_validator(mode="after")
    def _only_fresh_noise_has_a_spread(self) -> "DenoiserSettings":
        if self.noise_spread and not self.fresh_noise:
            raise ValueError(
                "`noise_spread` is of noise that is drawn anew in every epoch, but `fresh_noise` "
                f"is off and `noise_spread` is {self.noise_spread:g}; set `noise_spread` to 0 or "
                "`fresh_noise` to true"
            )
        return self


class ResidualSettings(SettingsGroup):
    """Sizes of the networks `residual` and `unet`; that of the course has its own."""

    width: Annotated[int, Field(ge=1, le=4096)] = 48
    """Channels at half of the resolution."""

    inner_width: Annotated[int, Field(ge=1, le=4096)] = 128
    """Channels in the middle, at a quarter of the resolution."""

    blocks: Annotated[int, Field(ge=1, le=100)] = 2
    """Residual blocks in the middle, of two convolutions each."""

    mixing: bool = False
    """Whether each block in the middle is preceded by a matrix product over all places, so that
    distant parts of an image meet. Only where there are at most 1,024 places, as in images of
    128 x 128."""


class ResolvedTraining(TrainingSettings):
    """Training settings in which nothing is left to the machine."""

    precision: Precision
    """Compute dtype of training."""

    threads: Annotated[int, Field(ge=1, le=4096)]
    """Threads per operation."""
