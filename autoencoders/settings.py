"""Every setting of the pipeline, and the presets.

Plain values without behaviour: a stage receives them as values, which are part of its cache key,
so an edit of this file alone recomputes nothing.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Settings(BaseModel):
    model_config = ConfigDict(
        frozen=True,  # a run cannot change its own settings
        extra="forbid",  # a misspelt name is an error, not a no-op
        use_attribute_docstrings=True,  # the sentence under a field is its help everywhere
        allow_inf_nan=False,
    )


class ImageSettings(_Settings):
    """The form of one image; a CSV row holds height x width x channels values."""

    height: Annotated[int, Field(ge=4, le=4096, multiple_of=4)] = 28
    """Rows of an image, in pixels; a multiple of 4, since the network halves it twice."""

    width: Annotated[int, Field(ge=4, le=4096, multiple_of=4)] = 28
    """Columns of an image, in pixels; a multiple of 4."""

    channels: Annotated[int, Field(ge=1, le=4)] = 1
    """Values a pixel: 1 for grey, 3 for colour."""


class NoiseSettings(_Settings):
    """How the noisy twins are made."""

    factor: Annotated[float, Field(ge=0, le=10)] = 0.5
    """Standard deviation of the Gaussian noise, in units of the pixel range (0 to 1)."""


class TrainingSettings(_Settings):
    """How both networks are trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Passes over the training images."""

    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    """Images a training step."""

    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the train images held out for validation; the test images are never used."""

    learning_rate: Annotated[float, Field(ge=1e-9, le=1)] = 0.001
    """Step size of RMSprop; 0.001 is Keras's default."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the networks are trained in: auto is bfloat16 where the machine has units for it,
    since without them it takes several times as long as float32."""


class DenoiserSettings(_Settings):
    """What is special about training the denoiser."""

    fresh_noise: bool = False
    """Whether the train images get new noise in every epoch, instead of noise drawn once, which a
    network can learn by heart; the noise of validation and test images stays as it was drawn."""


class Settings(_Settings):
    """Settings of one run; the defaults are the reference."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of everything random: validation split, first weights, shuffling, noise."""

    image: ImageSettings = ImageSettings()
    noise: NoiseSettings = NoiseSettings()
    training: TrainingSettings = TrainingSettings()
    denoiser: DenoiserSettings = DenoiserSettings()


SEED = Settings()
"""The reference: 50 epochs, batch 128, RMSprop, mean squared error, noise factor 0.5."""

QUICK = Settings(training=TrainingSettings(epochs=2))
"""To see that everything works: two epochs."""

BEST = SEED
"""The best found so far; today that is the reference."""

PRESETS = {"seed": SEED, "quick": QUICK, "best": BEST}
