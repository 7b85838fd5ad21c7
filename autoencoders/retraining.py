"""The settings of retraining, and by how much networks differ by chance."""

from typing import Annotated, Literal

from pydantic import Field

from autoencoders.settings import PresetName, Settings
from autoencoders.settings_group import SettingsGroup


class RetrainSettings(SettingsGroup):
    """When a challenger is trained, and when it takes the champion's place."""

    margin: Annotated[float, Field(ge=0, le=20)] = 0.1
    """By how many dB of PSNR a challenger must be better than the champion, at the lower end of the
    95 % interval of its gain. The margin is never smaller than the variation of the preset's
    networks between seeds."""

    tolerance: Annotated[float, Field(ge=0, le=20)] = 0.1
    """By how many dB of PSNR it may be worse, at the lower end of the interval, for a class, at
    noise a fifth weaker or a fourth stronger, and on the test images of the champion."""

    images: Annotated[int, Field(ge=20, le=1_000_000)] = 100
    """Minimum number of test images, seen by neither network, for a comparison; with fewer, the
    challenger is refused."""

    start: Literal["fresh", "champion"] = "fresh"
    """Initial weights of a challenger: fresh draws random ones, champion continues from those of
    the champion."""

    drift: Literal["stop", "warn"] = "stop"
    """What happens if the data have drifted from those of the champion: stop trains nothing, warn
    continues."""

    psi: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Population stability index above which data count as drifted."""

    ks: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Kolmogorov-Smirnov distance above which data count as drifted."""

    baseline: Literal["warn", "refuse"] = "warn"
    """What happens to a challenger that is worse than the best linear map from noisy to clean
    images."""


class RetrainingSettings(Settings):
    """Settings of the main job, and of retraining beside them."""

    retrain: RetrainSettings = RetrainSettings()


DEFAULTS = RetrainingSettings()
"""What options are shown with."""


SEED_SPREAD: dict[PresetName, float] = {
    "reference": 0.6, "seed": 0.6, "quick": 2.2, "fast": 0.6, "best": 0.6,
}  # fmt: skip
"""By preset, in dB: by how much two denoisers differ that differ in the seed alone; how it was
measured, says docs/operations.md. `fast` and `best` have the figure of the reference."""


def least_gain(preset: PresetName, retrain: RetrainSettings) -> float:
    """Return the margin that counts, in dB."""
    return max(retrain.margin, SEED_SPREAD[preset])
