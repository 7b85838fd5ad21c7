"""The whole pipeline as a user runs it: the script, under a real Prefect server."""

import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from autoencoders.settings import REFERENCE, ImageSettings, Settings, apply_preset
from flows.catalogue import FIGURES, METRICS
from flows.full import app, full
from tasks.resolve import resolve_threads
from tasks.runtime import import_tensorflow
from tests.support import HOME, METHODS, SMALL, STEPS, contents, states, write_dataset

PUBLISHED = 27
"""How many files a run's folder has beside `run.json`."""


POISON = """
import sys

class Poison:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "keras"):
            raise SystemError(f"{name} imported")

sys.meta_path.insert(0, Poison())
"""


@pytest.fixture(scope="module")
def poison(tmp_path_factory):
    """A folder for the path: with it, importing TensorFlow or Keras ends the process."""
    folder = tmp_path_factory.mktemp("poison")
    (folder / "sitecustomize.py").write_text(POISON)  # Python imports it first of all
    return folder


@pytest.fixture(scope="module")
def twice(tmp_path_factory, server_environment, poison):
    """Run the pipeline twice, the second time without TensorFlow; return the folder and both."""
    folder = tmp_path_factory.mktemp("full")
    data = write_dataset(folder / "data", side=12)
    runs = []
    # A proxy where nothing listens: what is on this machine must not be looked for behind it
    proxied = {**server_environment, "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": "example"}
    for environment in (proxied, {**proxied, "PYTHONPATH": str(poison)}):
        runs.append(
            subprocess.run(
                [sys.executable, HOME / "flows" / "full.py", "--data", data,
                 "--artifacts", folder / "artifacts", *map(str, SMALL)],
                env=environment, cwd=folder, capture_output=True, text=True, timeout=280,
            )
        )  # fmt: skip
        runs[-1].contents = contents(folder / "artifacts" / "latest")
    return folder, *runs


def test_the_first_run_computes_every_step_once(twice):
    """In the documented order, and exits with code 0."""
    _, first, _ = twice
    found = states(first.stdout + first.stderr)

    assert first.returncode == 0, first.stderr[-3000:]
    assert found == dict.fromkeys(STEPS, "Completed")
    assert list(found) == STEPS


def test_the_second_run_computes_nothing(twice):
    """Prefect itself reports Cached for every step, and TensorFlow is never imported."""
    _, _, second = twice

    assert second.returncode == 0
    assert states(second.stdout + second.stderr) == dict.fromkeys(STEPS, "Cached")


@pytest.mark.slow
def test_the_proof_that_tensorflow_is_not_imported_can_fail(twice, run_flow, poison):
    """Where a network has to be trained, the same environment stops the run."""
    folder, *_ = twice
    result = run_flow(
        "full", "--data", folder / "data", "--artifacts", folder / "artifacts", *SMALL[:4],
        "--training.epochs", 7, PYTHONPATH=str(poison),
    )  # fmt: skip

    assert result.returncode == 1
    assert "imported" in result.stdout + result.stderr


def test_both_runs_leave_the_same_bytes(twice):
    """In every file but `run.json`, which records times."""
    _, first, second = twice

    assert first.contents == second.contents
    assert len(first.contents) == PUBLISHED


def test_a_run_leaves_what_people_look_for(twice):
    """Metrics, settings, models, histories and figures that can be opened."""
    folder, *_ = twice
    latest = folder / "artifacts" / "latest"
    metrics = json.loads((latest / "metrics.json").read_text())

    for method in METHODS:
        assert 0 < metrics[method]["mse"] < metrics[method]["mae"] < 1
        low, high = metrics[method]["mse_interval"]
        assert low < metrics[method]["mse"] < high
        assert metrics[method]["psnr"] > 0
        assert -1 <= metrics[method]["ssim"] <= 1
    settings = json.loads((latest / "settings.json").read_text())
    assert settings["training"]["epochs"] == 2
    assert Settings.model_validate(settings).image == ImageSettings(height=12, width=12)
    for role in ("autoencoder", "denoiser"):
        assert (latest / "models" / f"{role}.keras").is_file()
        history = pd.read_csv(latest / "history" / f"{role}.csv")
        assert history.columns.tolist() == ["epoch", "loss", "val_loss"]
        assert len(history) == 2
    for figure in FIGURES:
        with Image.open(latest / "figures" / f"{figure.name}.png") as picture:
            picture.verify()


def test_the_scores_of_single_images_average_to_the_metrics(twice):
    """One row per test image, one column per method and metric."""
    folder, *_ = twice
    latest = folder / "artifacts" / "latest"
    metrics = json.loads((latest / "metrics.json").read_text())
    per_image = pq.read_table(latest / "per_image.parquet").to_pandas()

    assert len(per_image) == metrics["images"] == 20
    for metric in METRICS:
        name = "psnr_mean" if metric.name == "psnr" else metric.name
        mean = per_image[f"denoiser_{metric.name}"].mean()
        assert mean == pytest.approx(metrics["denoiser"][name])


def test_a_run_records_which_step_read_what(twice):
    """As a table and as a drawing in the summary, and by key in the manifest."""
    folder, *_ = twice
    latest = folder / "artifacts" / "latest"
    manifest = json.loads((latest / "manifest.json").read_text())
    text = (latest / "summary.md").read_text()

    assert list(manifest["steps"]) == sorted(STEPS)
    assert "| denoiser |" in text
    assert (
        "| train denoiser | `images.npy` of add noise train, `images.npy` of prepare train |"
        in text
    )
    assert (
        "| score denoiser | `images.npy` of prepare test, `images.npy` of add noise test, "
        "`denoiser.keras` of train denoiser |" in text
    )
    assert "  add_noise_train --> train_denoiser\n" in text


@pytest.mark.slow
def test_old_runs_are_removed_by_a_variable(twice, tmp_path, run_flow):
    """The newest stays, with all that it needs."""
    folder, *_ = twice
    artifacts = shutil.copytree(folder / "artifacts", tmp_path / "artifacts", symlinks=True)
    result = run_flow(
        "full", "--data", folder / "data", "--artifacts", artifacts, *SMALL, "--seed", 1,
        AUTOENCODERS_KEEP_RUNS="1",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr[-3000:]
    assert "Kept the last 1 runs; removed " in result.stdout + result.stderr
    [run] = (artifacts / "runs").iterdir()
    assert len(contents(run)) == PUBLISHED
    assert len(list((artifacts / "train").iterdir())) == 2


def test_the_last_lines_say_where_the_results_are(twice):
    """With the main figures, and how they differ from those of the last run of the same data."""
    folder, first, second = twice

    assert f"{folder / 'artifacts' / 'latest'}" in first.stdout
    assert re.search(r"^denoiser +0\.\d{5} .*dB$", first.stdout, re.MULTILINE)
    assert "Last run" not in first.stdout
    assert re.search(r"^denoiser .* dB +same$", second.stdout, re.MULTILINE)
    assert re.search(r"Last run of these data: \S+ \(the same settings\)\.", second.stdout)


def test_the_networks_can_be_loaded_by_keras_alone(twice):
    """In safe mode, without any code of ours; their outputs have the error that was reported."""
    import_tensorflow(resolve_threads(), print)  # before the first operation, as stages do
    import keras
    import numpy as np

    folder, *_ = twice
    latest = folder / "artifacts" / "latest"
    metrics = json.loads((latest / "metrics.json").read_text())
    clean = np.loadtxt(folder / "data" / "test_data.csv", delimiter=",", dtype=np.float32) / 255
    network = keras.saving.load_model(latest / "models" / "autoencoder.keras", safe_mode=True)
    images = clean.reshape(-1, 12, 12, 1)
    error = np.mean((network.predict(images, verbose=0) - images) ** 2)

    assert {weights.dtype for weights in network.get_weights()} == {np.dtype(np.float32)}
    assert error == pytest.approx(metrics["autoencoder"]["mse"], rel=1e-5)


@pytest.mark.long
def test_other_epochs_recompute_training_and_what_follows(twice, run_flow):
    """Neither what comes before, nor what shows neither networks nor their outputs."""
    folder, *_ = twice
    result = run_flow(
        "full", "--data", folder / "data", "--artifacts", folder / "artifacts",
        *SMALL[:4], "--training.epochs", 1,
    )  # fmt: skip
    found = states(result.stdout + result.stderr)

    assert [step for step in STEPS if found[step] == "Cached"] == [
        "ingest", "contact sheet", "prepare train", "prepare test", "add noise train",
        "add noise test", *(f"score {method}" for method in METHODS[:9]), "measure codes",
        "draw noise", "draw architecture",
    ]  # fmt: skip
    assert set(found.values()) == {"Cached", "Completed"}


def test_wrong_data_end_in_one_clear_line(run_flow, tmp_path):
    """No traceback, exit code 1, nothing published."""
    data = write_dataset(tmp_path / "data", side=12)
    rows = (data / "test_data.csv").read_text().splitlines()
    rows[4] = rows[4].rpartition(",")[0]
    (data / "test_data.csv").write_text("\n".join(rows))
    result = run_flow("full", "--data", data, "--artifacts", tmp_path / "artifacts", *SMALL)

    assert result.returncode == 1
    assert "error: " in result.stderr
    assert "test_data.csv, row 5, column 144: the row ends after 143 of" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert not (tmp_path / "artifacts" / "latest").exists()
    assert not (tmp_path / "artifacts" / "ingest").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--training.epoch", "5"], "Unknown option"),
        (["--training.epochs", "0"], "--training.epochs: .*greater than or equal to 1"),
        (["--image.height", "3"], "--image.height: .*greater than or equal to 4"),
        (["--reading.label", "middle"], "--reading.label.*first"),
        (["--preset", "fastest"], "quick"),
        (["--noise.kind", "salt_and_pepper", "--noise.factor", "2"], "at most 1, but is 2"),
    ],
)
def test_wrong_options_end_in_one_clear_line(run_flow, arguments, message):
    """Exit code 2, before any server is started."""
    result = run_flow("full", *arguments)

    assert result.returncode == 2
    assert re.search(message, result.stderr)
    assert "Traceback" not in result.stderr


def test_options_that_contradict_the_preset_end_in_one_line_that_says_what_to_set(run_flow):
    """Each is right by itself; nothing is started."""
    result = run_flow("full", "--preset", "best", "--noise.kind", "salt_and_pepper")

    assert result.returncode == 1
    assert "set `denoiser.fresh_noise` to false and `denoiser.noise_spread` to 0" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_explains_every_field(run_flow):
    """The sentence under a field is its help."""
    shown = " ".join(run_flow("full", "--help", COLUMNS="200").stdout.split())

    for option in ("--data", "--preset", "--artifacts", "--seed", "--noise.factor"):
        assert option in shown
    assert "Number of passes over the training images" in shown


def chosen(*arguments: str) -> Settings:
    """Return the settings that a command line of the main job asks for."""
    _, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    given = bound.arguments
    return apply_preset(given.get("preset", "reference"), given.get("settings"))


def test_the_reference_is_the_default_and_keeps_its_old_name():
    """`--preset seed` is what earlier versions called it."""
    assert chosen() == chosen("--preset", "reference") == chosen("--preset", "seed") == REFERENCE


def test_options_replace_single_fields_of_the_preset():
    """Only what was given changes, also within a group of settings."""
    quick = chosen("--preset", "quick")
    settings = chosen("--preset", "quick", "--training.batch_size", "8")

    assert settings.training.batch_size == 8
    assert settings.training.epochs == quick.training.epochs == 2


def test_parameters_of_a_deployment_replace_single_fields_of_the_preset():
    """After Prefect's own validation, which turns JSON into settings, as before it."""
    given = full.validate_parameters({"preset": "quick", "settings": {"seed": 1}})
    settings = apply_preset(given["preset"], given["settings"])

    assert (settings.seed, settings.training.epochs) == (1, 2)
