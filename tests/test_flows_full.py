"""The whole pipeline as a user runs it: the script, under a real Prefect server."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from autoencoders.settings import QUICK, SEED, ImageSettings, Settings, TrainingSettings
from flows.options import over_preset
from tests.conftest import HOME, _write_dataset

STEPS = [
    "ingest", "prepare train", "prepare test", "add noise train", "add noise test",
    "train autoencoder", "train denoiser", "evaluate", "render",
]  # fmt: skip
SMALL = ("--image.height", 12, "--image.width", 12, "--training.epochs", 2)


def states(output: str) -> dict[str, str]:
    """Return the final state of every task run in a log."""
    return dict(re.findall(r"Task run '([^']+)' - Finished in state (\w+)", output))


def contents(folder) -> dict[str, str]:
    """Return the sha256 of every file below a folder, less the one that tells times."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture(scope="module")
def poison(tmp_path_factory):
    """A folder in front of whose `tensorflow` and `keras` nothing of the real ones is imported."""
    folder = tmp_path_factory.mktemp("poison")
    for package in ("tensorflow", "keras"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(f"raise SystemError('{package} imported')")
    return folder


@pytest.fixture(scope="module")
def twice(tmp_path_factory, server_environment, poison):
    """Run the pipeline twice, the second time without TensorFlow; yield the folder and both."""
    folder = tmp_path_factory.mktemp("full")
    data = _write_dataset(folder / "data", side=12)
    runs = []
    # A proxy where nobody listens: what is on this machine is not looked for behind it
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


def test_the_first_run_computes_every_stage_once(twice):
    """And ends well."""
    _, first, _ = twice

    assert first.returncode == 0, first.stderr[-3000:]
    assert states(first.stdout + first.stderr) == dict.fromkeys(STEPS, "Completed")


def test_the_second_run_computes_nothing(twice):
    """Prefect itself says Cached for every stage, and TensorFlow is never imported."""
    _, _, second = twice

    assert second.returncode == 0
    assert states(second.stdout + second.stderr) == dict.fromkeys(STEPS, "Cached")


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
    """Of every file but `run.json`, which says when."""
    _, first, second = twice

    assert first.contents == second.contents
    assert len(first.contents) == 15


def test_a_run_leaves_what_people_look_for(twice):
    """Metrics, settings, models, histories, figures that open, a summary."""
    folder, *_ = twice
    latest = folder / "artifacts" / "latest"
    metrics = json.loads((latest / "metrics.json").read_text())

    for system in ("noisy", "autoencoder", "denoiser"):
        assert 0 < metrics[system]["mse"] < 1
        assert metrics[system]["psnr"] > 0
        assert -1 <= metrics[system]["ssim"] <= 1
    settings = json.loads((latest / "settings.json").read_text())
    assert settings["training"]["epochs"] == 2
    assert Settings.model_validate(settings).image == ImageSettings(height=12, width=12)
    manifest = json.loads((latest / "manifest.json").read_text())
    assert list(manifest["steps"]) == sorted(STEPS)
    for role in ("autoencoder", "denoiser"):
        history = pd.read_csv(latest / "history" / f"{role}.csv")
        assert history.columns.tolist() == ["epoch", "loss", "val_loss"]
        assert len(history) == 2
    for name in ("architecture", "denoising", "loss_curves", "noise", "reconstructions"):
        with Image.open(latest / "figures" / f"{name}.png") as picture:
            picture.verify()
    per_image = pq.read_table(latest / "per_image.parquet").to_pandas()
    assert len(per_image) == 20
    assert per_image["denoiser_mse"].mean() == pytest.approx(metrics["denoiser"]["mse"])
    text = (latest / "summary.md").read_text()
    assert "| denoiser |" in text
    assert (
        "| train denoiser | `images.npy` of add noise train, `images.npy` of prepare train |"
        in (text)
    )
    assert "  add_noise_train --> train_denoiser\n" in text


def test_old_runs_are_pruned_by_a_setting(twice, tmp_path, run_flow):
    """The newest stays, with all it needs."""
    folder, *_ = twice
    artifacts = shutil.copytree(folder / "artifacts", tmp_path / "artifacts", symlinks=True)
    result = run_flow(
        "full", "--data", folder / "data", "--artifacts", artifacts, *SMALL, "--seed", 1,
        AUTOENCODERS_KEEP_RUNS="1",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr[-3000:]
    assert "AUTOENCODERS_KEEP_RUNS=1: " in result.stdout + result.stderr
    [run] = (artifacts / "runs").iterdir()
    assert len(contents(run)) == 15
    assert len(list((artifacts / "train").iterdir())) == 2


def test_the_last_lines_say_where_it_is(twice):
    """With the main figures, so nobody has to look for them."""
    folder, first, _ = twice

    assert f"{folder / 'artifacts' / 'latest'}" in first.stdout
    assert re.search(r"\| denoiser \| .* \| 0\.\d{5} \|", first.stdout)


def test_the_networks_can_be_loaded_by_keras_alone(twice):
    """In safe mode, without any code of ours; what they predict has the error that we told."""
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


def test_other_epochs_recompute_training_and_what_follows(twice, run_flow):
    """Nothing before it."""
    folder, *_ = twice
    result = run_flow(
        "full", "--data", folder / "data", "--artifacts", folder / "artifacts",
        *SMALL[:4], "--training.epochs", 1,
    )  # fmt: skip

    found = states(result.stdout + result.stderr)
    assert [found[step] for step in STEPS] == ["Cached"] * 5 + ["Completed"] * 4


def test_wrong_data_end_in_one_clear_line(run_flow, tmp_path, write_dataset):
    """No traceback, exit code 1, nothing published."""
    data = write_dataset(tmp_path / "data", side=12)
    rows = (data / "test_data.csv").read_text().splitlines()
    rows[4] = rows[4].rpartition(",")[0]
    (data / "test_data.csv").write_text("\n".join(rows))
    result = run_flow("full", "--data", data, "--artifacts", tmp_path / "artifacts", *SMALL)

    assert result.returncode == 1
    assert "error: " in result.stderr
    assert "test_data.csv, row 5, column 144: the row ends after 143 of 144" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert not (tmp_path / "artifacts" / "latest").exists()
    assert not (tmp_path / "artifacts" / "ingest").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--training.epoch", "5"], "Unknown option"),
        (["--training.epochs", "0"], "--training.epochs: .*greater than or equal to 1"),
        (["--image.height", "30"], "--image.height: .*multiple of 4"),
        (["--preset", "fast"], "quick"),
    ],
)
def test_wrong_options_end_in_one_clear_line(run_flow, arguments, message):
    """Exit code 2, before any server is started."""
    result = run_flow("full", *arguments)

    assert result.returncode == 2
    assert re.search(message, result.stderr)
    assert "Traceback" not in result.stderr


def test_help_explains_every_field(run_flow):
    """The sentence under a field is its help."""
    shown = " ".join(run_flow("full", "--help", COLUMNS="200").stdout.split())

    for option in ("--data", "--preset", "--artifacts", "--seed", "--noise.factor"):
        assert option in shown
    assert "Passes over the training images." in shown


def test_options_are_laid_over_the_preset():
    """Only what was given changes; the rest is the preset's."""
    given = Settings(training=TrainingSettings(batch_size=8))

    assert over_preset("quick", given).training == QUICK.training.model_copy(
        update={"batch_size": 8}
    )
    assert over_preset("seed") == SEED
