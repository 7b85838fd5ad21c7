"""The main job called from Python: what it returns, and that a notebook may call it."""

import json
import subprocess
import sys

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort

from autoencoders.settings import ImageSettings, Settings, TrainingSettings
from flows.finished import FinishedRun
from flows.full import full
from flows.naming import experiment
from tests.support import HOME, IMAGE, METHODS, write_dataset

SETTINGS = {"image": IMAGE, "training": {"epochs": 1}}
CALL = """
import asyncio, json, sys
from pathlib import Path

async def cell():
    from flows.full import full
    data, artifacts, settings = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    return full(data=data, settings=settings, artifacts=artifacts)

runs = [asyncio.run(cell()) for _ in "ab"]
print(json.dumps({
    "runs": [run.name for run in runs],
    "mse": [run.metrics["denoiser"]["mse"] for run in runs],
    "figures": sorted(runs[0].figures),
    "heavy": sorted({"tensorflow", "keras", "pandas", "matplotlib"} & set(sys.modules)),
}))
"""
"""A program that calls the main job twice, as a cell of a notebook does: in a running loop."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Small data and a folder for artifacts."""
    folder = tmp_path_factory.mktemp("python")
    return write_dataset(folder / "data", side=12), folder / "artifacts"


@pytest.fixture(scope="module")
def run(prefect_server, place) -> FinishedRun:
    """A run with settings as a dictionary."""
    data, artifacts = place
    return full(data=data, settings=SETTINGS, artifacts=artifacts)


def test_a_call_returns_metrics_figures_models_and_paths(run, place):
    """All that a notebook goes on with, as values and as paths of files that are there."""
    assert run.folder.parent == place[1] / "runs"
    assert run.settings.training.epochs == 1
    assert 0 < run.metrics["denoiser"]["mse"] < 1
    assert set(run.metrics) == set(METHODS)
    assert set(run.models) == set(run.histories) == {"autoencoder", "denoiser"}
    assert "denoising" in run.figures
    for path in (*run.figures.values(), *run.models.values(), *run.histories.values(),
                 run.per_image, run.per_class):  # fmt: skip
        assert path.is_file()
    assert run.load("denoiser").input_shape == (None, 12, 12, 1)


def test_it_is_readable(run):
    """As text the folder and the metrics; in a notebook, the table of the summary."""
    assert str(run.folder) in repr(run)
    assert f"MSE {run.metrics['denoiser']['mse']:.5f}" in repr(run)
    assert "| denoiser |" in run._repr_markdown_()
    assert "![" not in run._repr_markdown_()


@pytest.mark.slow
def test_a_notebook_calls_it_again_and_again(run, place, server_environment):
    """Where a loop runs already, as in Jupyter; what is cached imports no TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", CALL, *map(str, place), json.dumps(SETTINGS)],
        cwd=HOME, env=server_environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])

    assert len(set(shown["runs"])) == 2
    assert shown["mse"] == [run.metrics["denoiser"]["mse"]] * 2
    assert shown["figures"] == sorted(run.figures)
    assert shown["heavy"] == []


def test_prefect_gets_the_state_and_not_the_object(run, place):
    """`return_state` works as in any flow; the server stores no copy of the result."""
    data, artifacts = place
    state = full(data=data, settings=SETTINGS, artifacts=artifacts, return_state=True)
    with get_client(sync_client=True) as client:
        [newest] = client.read_flow_runs(limit=1, sort=FlowRunSort.START_TIME_DESC)

    assert state.is_completed()
    assert state.result().metrics == run.metrics
    assert newest.state.type == state.type
    assert newest.state.data is None


def test_a_run_is_named_by_what_differs_and_tagged(run):
    """So that Prefect's list of runs, and `autoencoders runs`, read as lists of experiments."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(limit=200, sort=FlowRunSort.START_TIME_DESC)
    [found] = [one for one in runs if one.name == "images 12 x 12, 1 epoch"][-1:]

    assert set(found.tags) == {"reference", "data"}
    assert run.name.endswith("-images-12-x-12-1-epoch")


@pytest.mark.parametrize(
    ("preset", "settings", "name"),
    [
        ("reference", None, "reference"),
        ("reference", Settings(seed=0), "reference"),
        ("quick", Settings(seed=1), "quick, seed 1"),
        ("reference", Settings(image=ImageSettings(height=32), training=TrainingSettings(epochs=5)),
         "images 32, 5 epochs"),
        ("quick", Settings.model_validate({"image": {"height": 8, "width": 9, "white": 16}}),
         "quick, images 8 x 9, white 16"),
        ("reference", Settings.model_validate({"reading": {"accept": ["alike"]}}), "accept alike"),
        ("reference", Settings.model_validate({"noise": {"factor": 0.3}}), "noise 0.3"),
        ("reference", Settings.model_validate({"noise": {"kind": "salt_and_pepper"}}),
         "salt and pepper"),
        ("quick", Settings.model_validate({"denoiser": {"fresh_noise": True}}),
         "quick, fresh noise"),
        ("best", Settings.model_validate({"denoiser": {"noise_spread": 0}}),
         "best, noise spread 0"),
        ("fast", Settings(training=TrainingSettings(epochs=3)), "fast, 3 epochs"),
        ("reference", Settings.model_validate(
            {"training": {"steps": 2000, "optimizer": "muon"}, "denoiser": {"network": "unet"}}),
         "2,000 steps, optimizer muon, denoiser unet"),
    ],
)  # fmt: skip
def test_a_name_says_what_differs_from_the_preset(preset, settings, name):
    """In the words of the settings; a setting given with the preset's value differs in nothing."""
    assert experiment(preset, settings) == name


def test_a_long_name_ends_between_two_settings():
    """It fits a list, and says that there is more."""
    settings = Settings.model_validate(
        {"seed": 1, "image": {"height": 32}, "noise": {"factor": 0.3, "kind": "salt_and_pepper"},
         "training": {"epochs": 5, "learning_rate": 0.01, "keep": "best", "batch_size": 64}}
    )  # fmt: skip
    name = experiment("reference", settings)

    assert len(name) <= 80
    assert name.startswith("images 32, seed 1, salt and pepper, noise 0.3, ")
    assert name.endswith(", …")
