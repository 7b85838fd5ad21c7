"""Rate against distortion on small data: what is measured, what is left, what is refused."""

import csv
import json

import numpy as np
import pytest

from autoencoders.settings import Settings
from flows.rates import rates
from tasks.engine.journal import RECORD
from tests.support import IMAGE, write_dataset

SETTINGS = Settings.model_validate(
    {"image": IMAGE, "training": {"steps": 6, "batch_size": 16},
     "residual": {"width": 4, "inner_width": 6, "blocks": 1}}
)  # fmt: skip


def states(done):
    record = json.loads((done.folder / RECORD).read_text())
    return {step["step"]: step["state"] for step in record["steps"]}


@pytest.fixture(scope="module")
def measured(tmp_path_factory, prefect_server):
    """Data, the store, and a finished run with two sizes and two seeds."""
    folder = tmp_path_factory.mktemp("rates")
    data = write_dataset(folder / "data", side=12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOENCODERS_TRAININGS", "1")
        done = rates(data, "fast", SETTINGS, folder / "a", [3, 6], 2)
    return data, folder / "a", done


@pytest.mark.long
def test_every_size_is_compared_at_equal_numbers_and_at_equal_bits(measured):
    """Beside as many principal components; the probe also reads all pixels."""
    _, _, done = measured
    rows = list(csv.DictReader((done.folder / "rates.csv").open()))

    assert [(row["method"], row["numbers"]) for row in rows] == [
        ("autoencoder", "3"), ("autoencoder", "6"), ("PCA", "3"), ("PCA", "6"), ("pixels", "144"),
    ]  # fmt: skip
    for row in rows[:4]:
        assert 0 < float(row["quantised_psnr"]) <= float(row["psnr"]) + 0.5
    assert all(row["psnr_sd"] for row in rows[:2])
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)


@pytest.mark.long
def test_principal_components_have_the_error_that_they_have_anywhere(measured):
    """That of a projection of the test images on the first singular vectors of the train images."""
    data, _, done = measured
    train = np.loadtxt(data / "train_data.csv.gz", delimiter=",") / 255
    test = np.loadtxt(data / "test_data.csv", delimiter=",") / 255
    mean = train.mean(axis=0)
    _, _, vectors = np.linalg.svd(train - mean, full_matrices=False)
    [three, six] = [row for row in done.facts["rows"] if row["method"] == "PCA"]
    for row in (three, six):
        basis = vectors[: row["numbers"]]
        error = np.square((test - mean) @ basis.T @ basis + mean - test).mean()
        assert row["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-4)


@pytest.mark.long
def test_a_run_leaves_a_figure_a_table_and_a_sentence(measured):
    """The sentence says at which sizes the network is better, and by how much."""
    _, _, done = measured

    assert (done.folder / "figures" / "rates.png").read_bytes()[:4] == b"\x89PNG"
    assert done.conclusion in (done.folder / "rates.md").read_text()
    assert done.conclusion.startswith("With as many numbers of 8 bits each, the autoencoder ")


@pytest.mark.long
def test_another_size_trains_only_what_is_new(measured, monkeypatch):
    """All else comes from the cache."""
    data, artifacts, _ = measured
    monkeypatch.setenv("AUTOENCODERS_TRAININGS", "1")
    more = rates(data, "fast", SETTINGS, artifacts, [3, 4, 6], 2)
    trained = [name for name, state in states(more).items()
               if name.startswith("train") and state != "Cached"]  # fmt: skip

    assert trained == [
        "train autoencoder: code of 4, seed 0",
        "train autoencoder: code of 4, seed 1",
    ]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ("8,x", "--sizes 8,x: expected whole numbers from 1 to 65,536"),
        ("0", "expected whole numbers from 1 to 65,536"),
        ("8,16,8", "--sizes: 8 is given twice. Give each size once."),
        ("", "expected whole numbers"),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_anything_runs(run_flow, tmp_path, sizes, said):
    """In one line."""
    done = run_flow("rates", "--artifacts", tmp_path / "a", "--sizes", sizes)

    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "a").exists()
