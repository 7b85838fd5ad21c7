"""Settings: presets, what is refused, and the resolved form that cache keys hold."""

import typing

import pytest
from pydantic import ValidationError

from autoencoders import settings
from autoencoders.errors import PipelineError
from autoencoders.settings import (
    PRESETS,
    QUICK,
    REFERENCE,
    DenoiserSettings,
    NoiseSettings,
    PresetName,
    ResolvedSettings,
    Settings,
    TrainingSettings,
    apply_preset,
    resolved,
)


def test_every_preset_name_has_a_preset():
    """`seed`, the old name of the reference, still works."""
    assert set(PRESETS) == set(typing.get_args(PresetName))
    assert PRESETS["seed"] is PRESETS["reference"] is REFERENCE


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_alone_is_itself(preset):
    """Nothing given, nothing replaced."""
    assert apply_preset(preset) == apply_preset(preset, Settings()) == PRESETS[preset]


def test_fields_set_by_name_replace_those_of_the_preset():
    """Field by field also within a group: the preset's epochs stay when the batch size is set."""
    given = Settings(seed=7, training=TrainingSettings(batch_size=8))
    merged = apply_preset("quick", given)

    assert (merged.seed, merged.training.batch_size) == (7, 8)
    assert merged.training.epochs == QUICK.training.epochs != REFERENCE.training.epochs


def test_a_default_set_by_name_replaces_the_preset_too():
    """Who asks for 50 epochs gets them, although 50 is the default."""
    given = Settings(training=TrainingSettings(epochs=50))

    assert apply_preset("quick", given).training.epochs == 50


@pytest.mark.parametrize(("asked", "answer"), [("auto", "bfloat16"), ("float32", "float32")])
def test_only_an_automatic_precision_is_resolved(asked, answer):
    """What the user asks for takes precedence over what the machine does best."""
    found = resolved(Settings(seed=3, training=TrainingSettings(precision=asked)), "bfloat16", 2)

    assert isinstance(found, ResolvedSettings)
    assert found.training.precision == answer
    assert found.seed == 3


def test_resolved_settings_have_the_json_of_settings():
    """Cache keys are made of it: the same fields, in the same order and form."""
    plain = Settings(training=TrainingSettings(precision="float32", threads=2))

    found = resolved(plain, "bfloat16", 4)

    assert found.model_dump_json() == plain.model_dump_json()
    assert found.training.model_dump_json() == plain.training.model_dump_json()


def test_auto_is_no_resolved_precision():
    """The type refuses it, so no cache key can hold the question instead of the answer."""
    with pytest.raises(ValidationError, match=r"training\.precision"):
        ResolvedSettings.model_validate(Settings().model_dump())


def test_the_share_of_replaced_pixels_is_at_most_one():
    """A standard deviation may be larger."""
    with pytest.raises(ValidationError, match=r"share of replaced pixels .* is 1\.5"):
        NoiseSettings(kind="salt_and_pepper", factor=1.5)

    assert NoiseSettings(kind="salt_and_pepper", factor=1).factor == 1
    assert NoiseSettings(factor=1.5).factor == 1.5


def test_fresh_noise_is_gaussian():
    """Training draws no other noise; ignoring the kind would train on the wrong one."""
    noise = NoiseSettings(kind="salt_and_pepper")
    with pytest.raises(ValidationError, match=r"denoiser\.fresh_noise.*salt_and_pepper"):
        Settings(noise=noise, denoiser=DenoiserSettings(fresh_noise=True))

    assert Settings(noise=noise).noise.kind == "salt_and_pepper"
    assert Settings(denoiser=DenoiserSettings(fresh_noise=True)).denoiser.fresh_noise


def test_only_fresh_noise_has_a_spread():
    """Noise drawn once has one strength; the message says what to set, and that works."""
    with pytest.raises(ValidationError, match=r"`fresh_noise` is off and .* 0\.4; set .* to 0 or"):
        DenoiserSettings(noise_spread=0.4)
    with pytest.raises(PipelineError, match=r"With the preset best, .* set `noise_spread` to 0"):
        apply_preset("best", Settings(denoiser=DenoiserSettings(fresh_noise=False)))

    off = DenoiserSettings(fresh_noise=False, noise_spread=0)
    assert apply_preset("best", Settings(denoiser=off)).denoiser.network == "unet"


def test_a_preset_with_fresh_noise_says_what_other_noise_needs():
    """Following its words leads to settings that hold."""
    noise = NoiseSettings(kind="salt_and_pepper")
    advice = "set `denoiser.fresh_noise` to false and `denoiser.noise_spread` to 0"
    with pytest.raises(PipelineError, match=advice):
        apply_preset("best", Settings(noise=noise))

    off = DenoiserSettings(fresh_noise=False, noise_spread=0)
    assert apply_preset("best", Settings(noise=noise, denoiser=off)).noise == noise


@pytest.mark.parametrize("preset", ["fast", "best"])
def test_epochs_that_are_asked_for_replace_the_steps_of_a_preset(preset):
    """Else they would be ignored; steps given beside them count, as everywhere."""
    before = PRESETS[preset].training
    epochs = apply_preset(preset, Settings(training=TrainingSettings(epochs=3))).training
    steps = apply_preset(preset, Settings(training=TrainingSettings(steps=7))).training
    both = apply_preset(preset, Settings(training=TrainingSettings(steps=7, epochs=3))).training

    assert before.steps > 0
    assert (epochs.epochs, epochs.steps) == (3, 0)
    assert epochs.optimizer == before.optimizer
    assert steps.steps == both.steps == 7


def test_every_value_has_a_description():
    """It is the help on the command line and in Prefect's forms."""
    groups = (
        settings.ImageSettings, settings.NoiseSettings, settings.TrainingSettings,
        settings.AutoencoderSettings, settings.DenoiserSettings, settings.ResidualSettings,
        settings.ResolvedTraining,
    )  # fmt: skip
    fields = {
        f"{group.__name__}.{name}": field.description
        for group in groups
        for name, field in group.model_fields.items()
    }

    assert all(fields.values()), fields
    assert Settings.model_fields["seed"].description


def test_help_ends_with_the_range_that_the_field_has():
    """Said in one place, so that it cannot differ from what is refused; said once."""
    training, image = TrainingSettings.model_fields, settings.ImageSettings.model_fields

    assert training["epochs"].description.endswith("the training images. From 1 to 100,000.")
    assert training["validation_fraction"].description.endswith(" Above 0, below 1.")
    assert training["learning_rate"].description.endswith(" From 1e-09 to 1.")
    assert image["height"].description.endswith(" From 4 to 4,096.")
    assert Settings.model_fields["seed"].description.endswith(" At least 0, below 2**63.")
    assert DenoiserSettings.model_fields["fresh_noise"].description.count("From") == 0
    for field in (*training.values(), *image.values()):
        assert field.description.count("From ") <= 1


def test_forms_show_help_and_words_for_titles():
    """Prefect makes its form from this schema; names of classes are no titles."""
    schema = Settings.model_json_schema()
    groups = {group["title"]: group["properties"] for group in schema["$defs"].values()}

    assert set(groups) == {
        "Image", "Reading", "Noise", "Training", "Autoencoder", "Denoiser", "Residual",
        "Evaluation",
    }  # fmt: skip
    assert groups["Training"]["batch_size"]["title"] == "Batch size"
    assert groups["Training"]["epochs"]["description"].endswith("From 1 to 100,000.")
    assert groups["Training"]["epochs"]["maximum"] == 100_000
