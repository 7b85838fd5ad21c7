"""Every setting of the pipeline, and the presets.

Plain values without behaviour: a stage receives them as values, which are part of its cache key,
so an edit of this file alone recomputes nothing.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, ValidationError, model_validator

from autoencoders.errors import PipelineError
from autoencoders.settings_group import SettingsGroup
from autoencoders.training_settings import (
    AutoencoderSettings,
    DenoiserSettings,
    Precision,
    ResidualSettings,
    ResolvedTraining,
    TrainingSettings,
)

PresetName: TypeAlias = Literal["reference", "seed", "quick", "fast", "best"]


class ImageSettings(SettingsGroup):
    """What one image is: its shape, and which values mean black and white.

    By default, all of it is inferred from the train and test images together; fields that are set
    take precedence.
    """

    height: Annotated[int | None, Field(ge=4, le=4096)] = None
    """Height of an image in pixels."""

    width: Annotated[int | None, Field(ge=4, le=4096)] = None
    """Width of an image in pixels."""

    channels: Annotated[int | None, Field(ge=1, le=4)] = None
    """Channels per pixel: 1 for greyscale, 3 for colour."""

    black: float | None = None
    """The value in the file that means black; set it together with `white`. A black above white
    inverts the images."""

    white: float | None = None
    """The value in the file that means white, e.g. 255, 1 or 16."""

    order: Literal["auto", "pixel", "plane"] = "auto"
    """The order of the values of a colour image: pixel is red, green, blue of the first pixel, then
    of the next; plane is all red values, then all green, then all blue, as in CIFAR-10."""

    transposed: bool = False
    """Whether the values run down the columns of an image instead of along its rows, as in EMNIST's
    files."""


class ReadingSettings(SettingsGroup):
    """How files are read, if it cannot be inferred from their content, as auto does."""

    header: Literal["auto", "yes", "no"] = "auto"
    """Whether a table begins with a header line of column names."""

    label: Literal["auto", "first", "last", "none"] = "auto"
    """Which column of a table of images holds the label; none uses no labels, wherever they are."""

    index: Literal["auto", "yes", "no"] = "auto"
    """Whether the first column of a table of images holds row numbers."""

    rows: Literal["auto", "images", "pixels"] = "auto"
    """What a row of a table is: one image, or, in a transposed table, one pixel of all images."""

    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the images that become test images if only a single set is given.
    The split depends only on the seed and the content of each image: adding images moves no other
    image, and identical images stay together."""

    accept: tuple[Literal["alike", "outside"], ...] = ()
    """What to accept that is otherwise refused: alike accepts train images that are all identical,
    outside clips pixel values that lie outside the range."""


class InputSettings(SettingsGroup):
    """How images are read that are not trained on; by default, this is inferred."""

    image: ImageSettings = ImageSettings()
    reading: ReadingSettings = ReadingSettings()


class NoiseSettings(SettingsGroup):
    """How clean images are corrupted."""

    kind: Literal["gaussian", "salt_and_pepper"] = "gaussian"
    """The corruption: gaussian adds white noise to every pixel and clips to the pixel range;
    salt_and_pepper replaces some pixels by black or white."""

    factor: Annotated[float, Field(ge=0, le=10)] = 0.5
    """Strength of the noise. For gaussian, the standard deviation in units of the pixel range; for
    salt_and_pepper, the share of replaced pixels, at most 1."""

    @model_validator(mode="after")
    def _share_is_at_most_one(self) -> "NoiseSettings":
        if self.kind == "salt_and_pepper" and self.factor > 1:
            raise ValueError(
                "for salt_and_pepper, `factor` is the share of replaced pixels and must be at "
                f"most 1, but is {self.factor}"
            )
        return self


class EvaluationSettings(SettingsGroup):
    """How all methods are measured on the test images."""

    images: Annotated[int, Field(ge=1, le=10_000_000)] = 1000
    """Number of random test images on which slow methods are scored; all if there are fewer."""

    curve_images: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Number of random test images on which every method is scored at other noise factors, with
    clipped and with unclipped noise; all if there are fewer."""

    resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    """Bootstrap resamples of the test images for the 95 % intervals."""


class Settings(SettingsGroup):
    """Settings of one run; the defaults are the reference."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of everything random: validation split, initial weights, shuffling, noise."""

    image: ImageSettings = ImageSettings()
    reading: ReadingSettings = ReadingSettings()
    noise: NoiseSettings = NoiseSettings()
    training: TrainingSettings = TrainingSettings()
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    denoiser: DenoiserSettings = DenoiserSettings()
    residual: ResidualSettings = ResidualSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @model_validator(mode="after")
    def _fresh_noise_is_gaussian(self) -> "Settings":
        if self.denoiser.fresh_noise and self.noise.kind != "gaussian":
            raise ValueError(
                "`denoiser.fresh_noise` needs `noise.kind` gaussian, the only noise that training "
                f"can draw anew in every epoch, but it is {self.noise.kind}; set "
                "`denoiser.fresh_noise` to false"
                f"{' and `denoiser.noise_spread` to 0' if self.denoiser.noise_spread else ''}"
            )
        return self


class ResolvedSettings(Settings):
    """Settings whose precision is resolved for this machine: what a cache key holds.

    As JSON they have the same fields in the same order as `Settings`.
    """

    training: ResolvedTraining


REFERENCE = Settings()
"""The reference: 50 epochs, batch 128, RMSprop, mean squared error, noise factor 0.5."""

QUICK = Settings(
    training=TrainingSettings(epochs=2),
    evaluation=EvaluationSettings(images=30, curve_images=3, resamples=500),
)
"""To see that everything works: two epochs, and slow methods on few images."""

FAST = Settings(
    training=TrainingSettings(
        steps=580, optimizer="muon", learning_rate=0.005, schedule="linear", warmup=0.05
    ),
    autoencoder=AutoencoderSettings(network="residual"),
    denoiser=DenoiserSettings(fresh_noise=True, network="unet"),
    residual=ResidualSettings(width=32, inner_width=96),
)
"""As good as the reference at a fraction of its cost; docs/recipes.md has the figures."""

BEST = Settings(
    training=TrainingSettings(
        steps=5600, optimizer="muon", learning_rate=0.003, schedule="linear", warmup=0.03
    ),
    autoencoder=AutoencoderSettings(network="residual"),
    denoiser=DenoiserSettings(fresh_noise=True, noise_spread=0.4, network="unet"),
    residual=ResidualSettings(width=48, inner_width=128, blocks=3, mixing=True),
)
"""The best found so far that costs no more than the reference, over a range of noise."""

PRESETS: dict[PresetName, Settings] = {
    "reference": REFERENCE,
    "seed": REFERENCE,  # its old name, too easily mistaken for the option --seed
    "quick": QUICK,
    "fast": FAST,
    "best": BEST,
}


def apply_preset(preset: PresetName, given: Settings | None = None) -> Settings:
    """Return a preset, with every field replaced that was set by name in `given`.

    Args:
        preset: Where the settings start from.
        given: Settings of which only the fields set explicitly count, also within `image`,
            `reading`, `noise` and the other groups; what it left at a default stays as in the
            preset. Epochs also replace the steps of a preset.

    Returns:
        The merged settings.

    Raises:
        PipelineError: If the merged settings contradict each other.
    """
    merged = PRESETS[preset].model_dump()
    ours = set(Settings.model_fields)
    changes = {} if given is None else given.model_dump(exclude_unset=True, include=ours)
    if "epochs" in (length := changes.get("training", {})):
        length.setdefault("steps", 0)
    for name, value in changes.items():
        merged[name] = {**merged[name], **value} if isinstance(value, dict) else value
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        faults = [fault["msg"].removeprefix("Value error, ") for fault in error.errors()]
        raise PipelineError(f"With the preset {preset}, {'; '.join(faults)}.") from error


def resolved(settings: Settings, precision: Precision, threads: int) -> ResolvedSettings:
    """Return the settings with a definite precision and number of threads.

    Args:
        settings: Settings of a run.
        precision: What this machine trains fastest in; used only where the setting is auto.
        threads: How many threads this process may run at once; used only where the setting is 0.

    Returns:
        The same settings, with auto and 0 replaced.
    """
    values = settings.model_dump()
    if values["training"]["precision"] == "auto":
        values["training"]["precision"] = precision
    values["training"]["threads"] = values["training"]["threads"] or threads
    return ResolvedSettings.model_validate(values)
