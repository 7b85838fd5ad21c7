"""Every setting of the pipeline, and the presets.

Plain values without behaviour: a stage receives them as values, which are part of its cache key,
so an edit of this file alone recomputes nothing.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Precision: TypeAlias = Literal["float32", "bfloat16"]
PresetName: TypeAlias = Literal["reference", "seed", "quick", "best"]


class _Settings(BaseModel):
    model_config = ConfigDict(
        frozen=True,  # a run cannot change its own settings
        extra="forbid",  # a misspelt name is an error, not a no-op
        use_attribute_docstrings=True,  # the sentence under a field is its help everywhere
        model_title_generator=lambda model: model.__name__.removesuffix("Settings") or "Settings",
        field_title_generator=lambda name, info: name.replace("_", " ").capitalize(),
        allow_inf_nan=False,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """End the help of each field with its range, as the field itself has it."""
        for name, field in cls.model_fields.items():
            allowed = _range(field.metadata)
            if allowed and name in cls.__annotations__:  # not inherited, so not ended yet
                field.description = f"{field.description} {allowed}"
        cls.model_rebuild(force=True)


def _range(constraints: Iterable[object]) -> str:
    """Return a range in words, such as "From 1 to 4."; nothing where there is none."""
    names = ("ge", "gt", "le", "lt")
    bounds = {
        name: _number(getattr(one, name))
        for one in constraints
        for name in names
        if hasattr(one, name)
    }
    if "ge" in bounds and "le" in bounds:
        words = [f"from {bounds['ge']} to {bounds['le']}"]
    else:
        said = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        words = [f"{word} {bounds[name]}" for name, word in said.items() if name in bounds]
    text = ", ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _number(bound: float) -> str:
    if isinstance(bound, int) and bound.bit_count() == 1 and bound > 2**32:
        return f"2**{bound.bit_length() - 1}"
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


class ImageSettings(_Settings):
    """What one image is: its shape, and which values mean black and white.

    All of it is found by looking at the train and test images together; a field that is set takes
    precedence.
    """

    height: Annotated[int | None, Field(ge=4, le=4096)] = None
    """Height of an image in pixels."""

    width: Annotated[int | None, Field(ge=4, le=4096)] = None
    """Width of an image in pixels."""

    channels: Annotated[int | None, Field(ge=1, le=4)] = None
    """Channels per pixel: 1 for greyscale, 3 for colour."""

    black: float | None = None
    """The value in the file that means black; together with `white`. A black above white inverts
    the images."""

    white: float | None = None
    """The value in the file that means white, e.g. 255, 1 or 16."""

    order: Literal["auto", "pixel", "plane"] = "auto"
    """The order of the values of a colour image: pixel is red, green, blue of the first pixel, then
    of the next; plane is all red values, then all green, then all blue, as in CIFAR-10."""

    transposed: bool = False
    """Whether the values run down the columns of an image instead of along its rows, as in EMNIST's
    files."""


class ReadingSettings(_Settings):
    """How files are read, where looking at them is not enough; auto looks."""

    header: Literal["auto", "yes", "no"] = "auto"
    """Whether a table begins with a line of column names."""

    label: Literal["auto", "first", "last", "none"] = "auto"
    """Which column of a table of images holds the label."""

    index: Literal["auto", "yes", "no"] = "auto"
    """Whether the first column of a table of images holds row numbers."""

    rows: Literal["auto", "images", "pixels"] = "auto"
    """What a row of a table is: one image, or, in a transposed table, one pixel of all images."""

    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the images that become test images where only one set is given.
    The side of an image follows from the seed and its content alone: more images move none, and
    equal images stay on one side."""

    accept: tuple[Literal["alike", "outside"], ...] = ()
    """What is otherwise refused: alike takes train images that are all the same, outside clips
    pixel values that lie outside the range."""


class InputSettings(_Settings):
    """How images are read that are not trained on; the defaults look."""

    image: ImageSettings = ImageSettings()
    reading: ReadingSettings = ReadingSettings()


class NoiseSettings(_Settings):
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


class TrainingSettings(_Settings):
    """How both networks are trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Number of passes over the training images."""

    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    """Images per training step."""

    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images held out for validation; the test images are never used for
    it."""

    learning_rate: Annotated[float, Field(ge=1e-9, le=1)] = 0.001
    """Learning rate of RMSprop; 0.001 is Keras's default."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Compute dtype of training. auto picks bfloat16 on machines with hardware support for it and
    float32 on all others, where bfloat16 takes several times as long."""

    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    """Threads per operation; 0 takes one per core that the process may use. The number decides the
    last bits of sums, so only equal numbers give equal bytes."""

    keep: Literal["last", "best"] = "last"
    """Which weights are kept: those after the last epoch, as in the course, or those after the
    epoch with the least validation loss, the earliest one if several are equal."""


class DenoiserSettings(_Settings):
    """What is special about training the denoiser."""

    fresh_noise: bool = False
    """Whether the training images get new noise in every epoch instead of noise drawn once, which
    a network can memorise. Validation and test images keep the noise drawn once. Needs noise of
    kind gaussian."""


class Settings(_Settings):
    """Settings of one run; the defaults are the reference."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of everything random: validation split, initial weights, shuffling, noise."""

    image: ImageSettings = ImageSettings()
    reading: ReadingSettings = ReadingSettings()
    noise: NoiseSettings = NoiseSettings()
    training: TrainingSettings = TrainingSettings()
    denoiser: DenoiserSettings = DenoiserSettings()

    @model_validator(mode="after")
    def _fresh_noise_is_gaussian(self) -> "Settings":
        if self.denoiser.fresh_noise and self.noise.kind != "gaussian":
            raise ValueError(
                "`denoiser.fresh_noise` needs `noise.kind` gaussian, the only noise that training "
                f"can draw anew in every epoch, but it is {self.noise.kind}"
            )
        return self


class ResolvedTraining(TrainingSettings):
    """Training settings in which nothing is left to the machine."""

    precision: Precision
    """Compute dtype of training."""

    threads: Annotated[int, Field(ge=1, le=4096)]
    """Threads per operation."""


class ResolvedSettings(Settings):
    """Settings whose precision is resolved for this machine: what a cache key holds.

    As JSON they have the same fields in the same order as `Settings`.
    """

    training: ResolvedTraining


REFERENCE = Settings()
"""The reference: 50 epochs, batch 128, RMSprop, mean squared error, noise factor 0.5."""

QUICK = Settings(training=TrainingSettings(epochs=2))
"""To see that everything works: two epochs."""

BEST = REFERENCE
"""The best found so far; today that is the reference."""

PRESETS: dict[PresetName, Settings] = {
    "reference": REFERENCE,
    "seed": REFERENCE,  # its old name, too easily mistaken for the option --seed
    "quick": QUICK,
    "best": BEST,
}


def apply_preset(preset: PresetName, given: Settings | None = None) -> Settings:
    """Return a preset, with every field replaced that was set by name in `given`.

    Args:
        preset: Where the settings start from.
        given: Settings of which only the fields set explicitly count, also within `image`,
            `reading`, `noise`, `training` and `denoiser`; what it left at a default stays
            as in the preset.

    Returns:
        The merged settings.

    Raises:
        pydantic.ValidationError: If the merged settings contradict each other.
    """
    merged = PRESETS[preset].model_dump()
    changes = {} if given is None else given.model_dump(exclude_unset=True)
    for name, value in changes.items():
        merged[name] = {**merged[name], **value} if isinstance(value, dict) else value
    return Settings.model_validate(merged)


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
