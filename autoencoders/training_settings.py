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
    """Number of training steps, over as many epochs as needed; 0 means that `epochs` applies."""

    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    """Images per training step."""

    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images held out for validation; test images are never used for that."""

    optimizer: Literal["rmsprop", "adamw", "muon"] = "rmsprop"
    """Optimiser: rmsprop with Keras's defaults, adamw, or muon, which is Muon for convolution
    kernels and Adam for everything else."""

    learning_rate: Annotated[float, Field(ge=1e-9, le=1)] = 0.001
    """Peak learning rate; typically 0.001 for rmsprop and adamw; for muon from 0.01 in short
    trainings to 0.003 in long ones."""

    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Schedule of the learning rate: constant, or a cosine or linear decay to 0 at the end of the
    training."""

    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training over which the learning rate warms up from 0."""

    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the weights that each step subtracts, in units of the learning rate."""

    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of an exponential moving average of the weights, for example 0.999. The average is
    validated and kept instead of the weights themselves; 0 turns it off."""

    shift: Annotated[int, Field(ge=0, le=1024)] = 0
    """Largest random shift of a training image, in pixels: in every step, each image moves by up to
    this many pixels in each direction, and its edge pixels fill the gap. 0 turns it off."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Compute dtype of training. auto picks bfloat16 on machines with hardware support for it and
    float32 on all others, where bfloat16 takes several times as long."""

    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    """Threads per operation; 0 takes one per core that the process may use. The number affects the
    last bits of sums, so only equal numbers give equal bytes."""

    keep: Literal["last", "best"] = "last"
    """Which weights are kept: those after the last epoch, as in the course, or those after the
    epoch with the lowest validation loss, the earliest such epoch if there are ties."""


class AutoencoderSettings(SettingsGroup):
    """Settings that apply only to the plain autoencoder."""

    network: Literal["reference", "residual", "bottleneck"] = "reference"
    """Its network: that of the course; residual blocks around a code of height / 4 x width / 4 x
    `residual.inner_width` values; or the same around a code of `code_size` values."""

    code_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Size of the latent code of the network `bottleneck`, in values."""


class DenoiserSettings(SettingsGroup):
    """Settings that apply only to the denoiser."""

    fresh_noise: bool = False
    """Whether the training images get new noise in every epoch instead of noise drawn once, which
    a network can memorise. Validation and test images keep the noise drawn once. Requires
    gaussian noise."""

    noise_spread: Annotated[float, Field(ge=0, le=10)] = 0.0
    """How far the fresh noise of a training image may deviate from `noise.factor`: the strength is
    drawn for each image, uniformly from this range. 0 gives all images the same strength."""

    network: Literal["reference", "unet"] = "reference"
    """Its network: that of the course, or residual blocks with a skip connection; `residual` has
    the sizes."""

    @model_validator(mode="after")
    def _only_fresh_noise_has_a_spread(self) -> "DenoiserSettings":
        if self.noise_spread and not self.fresh_noise:
            raise ValueError(
                "`noise_spread` applies to noise that is drawn anew in every epoch, but "
                f"`fresh_noise` is off and `noise_spread` is {self.noise_spread:g}; set "
                "`noise_spread` to 0 or `fresh_noise` to true"
            )
        return self


class ResidualSettings(SettingsGroup):
    """Sizes of the networks `residual` and `unet`; that of the course has its own."""

    width: Annotated[int, Field(ge=1, le=4096)] = 48
    """Channels at half resolution."""

    inner_width: Annotated[int, Field(ge=1, le=4096)] = 128
    """Channels in the middle, at a quarter of the resolution."""

    blocks: Annotated[int, Field(ge=1, le=100)] = 2
    """Residual blocks in the middle, of two convolutions each."""

    mixing: bool = False
    """Whether each block in the middle is preceded by token mixing, a matrix product over all
    positions, which connects distant parts of an image. Only for at most 1,024 positions, as in
    images of 128 x 128."""


class ResolvedTraining(TrainingSettings):
    """Training settings with everything resolved that depends on the machine."""

    precision: Precision
    """Compute dtype of training."""

    threads: Annotated[int, Field(ge=1, le=4096)]
    """Threads per operation."""
