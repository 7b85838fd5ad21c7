"""What is said of the training and noise of a run: of every preset, and of older settings."""

import json

import pytest

from autoencoders.settings import PRESETS
from flows.model_card import model_card
from flows.networks import ChosenRun
from flows.recipe import levels_in_words, noise_in_words, trained_levels, training_in_words


@pytest.mark.parametrize(
    ("preset", "training", "noise"),
    [
        ("reference", "50 epochs, batch size 128, rmsprop at 0.001",
         "Gaussian noise of factor 0.5"),
        ("fast", "580 steps, batch size 128, muon at 0.005",
         "Gaussian noise of factor 0.5 (drawn anew in every epoch of the denoiser)"),
        ("best", "5,600 steps, batch size 128, muon at 0.003",
         "Gaussian noise of factor 0.5 (drawn anew in every epoch of the denoiser, of factors from "
         "0.1 to 0.9)"),
    ],
)  # fmt: skip
def test_a_model_card_says_what_was_trained(tmp_path, preset, training, noise):
    """The length in steps where the preset has steps, and the noise that the denoiser has seen."""
    settings = PRESETS[preset].model_dump(mode="json")
    (tmp_path / "settings.json").write_text(json.dumps(settings))

    card = model_card(ChosenRun("a run", {}, tmp_path), [], {}, examples=False)

    assert training_in_words(settings) == training
    assert noise_in_words(settings) == noise
    assert f"- {training}, seed 0\n" in card
    assert f"- {noise}, clipped to [0, 1]\n" in card
    levels = {"best": "0.1 to 0.9"}.get(preset, "0.5")
    assert f"a factor of {levels} comes out" in card


def test_settings_of_an_older_version_are_understood():
    """They had neither steps nor optimisers nor a spread."""
    settings = PRESETS["reference"].model_dump(mode="json")
    for name in ("steps", "optimizer"):
        del settings["training"][name]
    settings["denoiser"] = {"fresh_noise": True}

    assert training_in_words(settings) == "50 epochs, batch size 128, rmsprop at 0.001"
    assert levels_in_words(trained_levels(settings)) == "0.5"


def test_settings_that_are_none_are_not_used(tmp_path):
    """A folder may have a file of that name from elsewhere."""
    (tmp_path / "settings.json").write_text('{"theme": "dark"}')
    run = ChosenRun("a folder", {}, tmp_path)

    assert run.settings == {}
    assert run.trained_noise is None
