"""Extreme data and useless networks: a run works or is refused at once, and says what is wrong."""

import gzip
import json
import re

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from autoencoders.settings import REFERENCE, ImageSettings, Settings
from flows.full import pipeline
from flows.judgement import kept_epoch, warnings
from flows.results import Results
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.resolve import resolve_settings
from tests.support import SMALL, states, write_dataset

SETTINGS = resolve_settings(REFERENCE)


def measured(**changes):
    """Metrics of good networks, but for the given ones, as `denoiser_mse=0.2`."""
    metrics = {
        "images": 1000,
        "clean": {"spread": 0.4},
        "noisy": {"mse": 0.1, "spread": 0.38},
        "autoencoder": {"mse": 0.01, "spread": 0.39},
        "denoiser": {"mse": 0.02, "spread": 0.37},
    }
    for name, value in changes.items():
        group, _, field = name.partition("_")
        metrics[group][field] = value
    return metrics


def test_good_networks_raise_no_warning():
    """Better than their input and than a mean image, and as varied as the clean images."""
    assert warnings(measured(), SETTINGS) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"denoiser_spread": 0.03, "denoiser_mse": 0.16},
         ["denoiser returns nearly the same image .* 7.5%.*learning_rate",
          "denoiser makes images worse: .*0.16000.*noisy images that it gets .*0.10000"]),
        ({"autoencoder_spread": 0.0}, ["autoencoder returns nearly the same image .* 0.0%"]),
        ({"denoiser_mse": 0.11}, ["denoiser makes images worse.*`training.epochs` was 50"]),
        ({"autoencoder_mse": 0.17}, ["autoencoder is worse .*0.17000.* mean .*0.16000"]),
        ({"denoiser_mse": 0.17}, ["denoiser is worse .* mean", "denoiser makes images worse"]),
        ({"denoiser_mse": None}, ["denoiser returns pixels that are not numbers"]),
        ({"denoiser_spread": None}, ["denoiser returns pixels that are not numbers"]),
        ({"noisy_mse": 0.0}, ["noisy images are the clean ones .*has nothing to remove"]),
        ({"clean_spread": 0.0}, ["All 1,000 test images are equal"]),
    ],
)  # fmt: skip
def test_a_useless_network_is_warned_of(changes, words):
    """In words that say what the number means and what to try."""
    found = warnings(measured(**changes), SETTINGS)

    assert len(found) == len(words), found
    for line, pattern in zip(found, words, strict=True):
        assert re.search(pattern, line), line


def test_the_threshold_is_far_from_networks_that_are_fine():
    """A tenth of the clean spread is a hundredth of the variance explained."""
    assert warnings(measured(denoiser_spread=0.041), SETTINGS) == []
    assert len(warnings(measured(denoiser_spread=0.039), SETTINGS)) == 1


@pytest.mark.parametrize(
    ("losses", "keep", "line"),
    [
        ([0.3, 0.0196, 0.0212], "last",
         "kept epoch 3, validation loss 0.02120; the best was epoch 2, 0.01960: 7.5% lower; "
         "`training.keep` best would keep it"),
        ([0.3, 0.0196, 0.0212], "best",
         "kept epoch 2 of 3, validation loss 0.01960, the best of all; the last had 0.02120"),
        ([0.3, 0.2], "last", "kept epoch 2, validation loss 0.20000, the best of all"),
        ([0.3, 0.2], "best", "kept epoch 2, validation loss 0.20000, the best of all"),
        ([0.0, 0.0], "last", "kept epoch 2, validation loss 0.00000, as low as that of epoch 1"),
        ([0.2], "last", "kept epoch 1, validation loss 0.20000, the best of all"),
    ],
)  # fmt: skip
def test_the_kept_epoch_is_named_beside_the_best(losses, keep, line):
    """So that nobody takes the last epoch for the best one."""
    assert kept_epoch(losses, keep) == line


class Case:
    """Data and settings of a run without a server: its steps are called one after the other."""

    def __init__(self, folder, train, test, image, label=3, pixels=None, accept=(), **training):
        """Write data of `train` and `test` images, all of one class."""
        rng, width = np.random.default_rng(0), image.height * image.width * (image.channels or 1)
        self.folder = folder
        for split, count in (("train", train), ("test", test)):
            drawn = rng.integers(0, 256, (count, width))
            values = drawn if pixels is None else np.full_like(drawn, pixels)
            np.savetxt(folder / f"{split}_data.csv", values, fmt="%d", delimiter=",")
            (folder / f"{split}_labels.csv").write_text(f"{label}\n" * count)
        training = {"epochs": 2, "precision": "float32", **training}
        self.settings = resolve_settings(
            Settings(image=image, reading={"accept": accept}, training=training)
        )
        self.steps = []

    def run(self):
        """Run the whole pipeline; return its results."""
        store, data = Store(self.folder / "artifacts"), input_refs(find_files(self.folder))

        def step(label, function, **inputs):
            self.steps.append(label)
            stage = stage_of(function)
            return stage.compute(store, stage.bind(**inputs))

        return Results(data, pipeline(step, data, self.settings), self.settings, "")


SHAPES = {
    "4 x 4, smaller than the window of SSIM": ImageSettings(height=4, width=4),
    "8 x 8, two channels": ImageSettings(height=8, width=8, channels=2),
    "12 x 8, four channels": ImageSettings(height=12, width=8, channels=4),
}
PARAMETERS = [
    pytest.param(image, id=name, marks=[] if name.startswith("4 x 4") else [pytest.mark.slow])
    for name, image in SHAPES.items()
]


@pytest.mark.parametrize("image", PARAMETERS)
def test_the_fewest_images_work_to_the_end(tmp_path, image):
    """One test image, two train images, a batch larger than both, one class with a large label."""
    case = Case(tmp_path, 2, 1, image, label=2**32 - 1, validation_fraction=0.5, batch_size=1000)
    results = case.run()

    assert results.metrics()["denoiser"]["mse"] > 0
    assert results.metrics()["denoiser"]["ssim"] is None
    assert any("There is one test image only" in one for one in results.warnings())
    assert (
        results.files["per_class.csv"].path.read_text().splitlines()[1].startswith("4294967295,1,")
    )


@pytest.mark.parametrize(
    "pixels",
    [pytest.param(0, marks=pytest.mark.long),
     *(pytest.param(one, marks=pytest.mark.slow) for one in (255, 100))],
)  # fmt: skip
def test_images_that_are_all_the_same_work_and_are_warned_of(tmp_path, pixels):
    """Black, white or grey, there is nothing to tell apart."""
    image = ImageSettings(height=12, width=12)
    results = Case(tmp_path, 10, 4, image, pixels=pixels, accept=["alike"]).run()

    assert any("All 4 test images are equal" in one for one in results.warnings())


@pytest.mark.slow
def test_test_images_that_are_the_train_images_are_warned_of(tmp_path):
    """Whatever the files are called, and whether one of them is compressed."""
    case = Case(tmp_path, 10, 10, ImageSettings(height=8, width=8))
    train, test = (tmp_path / f"{split}_data.csv" for split in ("train", "test"))
    test.with_suffix(".csv.gz").write_bytes(gzip.compress(train.read_bytes()))
    test.unlink()

    assert "test images are the train images" in case.run().warnings()[0]


@pytest.mark.parametrize(
    ("train", "fraction", "message"),
    [(1, 0.2, "1 image,"), (1, 0.5, "1 image,"), (2, 0.2, "0 to validate on"),
     (10, 0.99, "leave 0 to train on"), (40, 0.01, "0 to validate on")],
)  # fmt: skip
def test_too_few_train_images_are_refused_before_any_training(tmp_path, train, fraction, message):
    """In one line that says what to do; no network is trained first."""
    image = ImageSettings(height=8, width=8)
    case = Case(tmp_path, train, 3, image, validation_fraction=fraction)

    with pytest.raises(PipelineError, match=message) as caught:
        case.run()
    assert "\n" not in str(caught.value)
    assert "Train data of " in str(caught.value)
    assert case.steps[-1] == "train autoencoder"


@pytest.mark.slow
def test_a_run_with_warnings_ends_well_and_says_so_first(run_flow, tmp_path):
    """Exit code 0; a line of the log, the first lines of the summary, with the kept epoch."""
    data = write_dataset(tmp_path / "data", side=12)
    done = run_flow("full", "--data", data, "--artifacts", tmp_path / "artifacts", *SMALL,
                    "--training.learning_rate", 0.1, "--training.keep", "best")  # fmt: skip
    latest = tmp_path / "artifacts" / "latest"
    summary = (latest / "summary.md").read_text().splitlines()

    assert done.returncode == 0, done.stderr[-3000:]
    assert set(states(done.stdout + done.stderr).values()) == {"Completed"}
    assert "| WARNING | " in done.stdout + done.stderr
    assert summary[2].startswith("> **Warning:** The autoencoder returns nearly the same image")
    assert any(line.startswith("- denoiser: kept epoch ") for line in summary)
    assert json.loads((latest / "settings.json").read_text())["training"]["keep"] == "best"
