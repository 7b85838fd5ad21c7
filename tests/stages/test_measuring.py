"""The stages that measure methods, as plain functions."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from autoencoders.settings import REFERENCE, ResolvedTraining
from flows.catalogue import FACTORS, METHODS
from flows.evaluation import examination
from tasks.engine.files import reference
from tasks.engine.handles import FunctionRef, Output
from tasks.formats.npz import read_arrays
from tasks.measure_baseline import measure_baseline
from tasks.measure_codes import measure_codes
from tasks.measure_given import measure_given
from tasks.measure_network import measure_network
from tasks.resolve import resolve_settings, resolve_threads
from tasks.train import train
from tests.support import HOME

COUNT = 12
THREADS = resolve_threads()
SETTINGS = resolve_settings(REFERENCE)
MEDIAN, LINEAR, PATCHES, COMPONENTS = (
    f"autoencoders.baselines.{name}"
    for name in ("median_filter", "linear", "patch_posterior", "principal_components")
)


@pytest.fixture
def test(saved):
    """Random images, float32 (12, 8, 8, 1), and other ones."""
    clean, given = np.random.default_rng(0).random((2, COUNT, 8, 8, 1), np.float32)
    return {"clean": saved("clean", clean), "given": saved("given", given)}


def exam(**changes):
    """The reference's, with changes."""
    found = examination(SETTINGS, slow=False, own_noise=False)
    return {**found, "curve_images": 4, **changes}


def measured(folder, test, module, noise_factor=0.5, **changes):
    """Measure a classical method that learns from the images that it is measured on."""
    output = Output(folder)
    measure_baseline(
        output, test, exam(**changes), test, FunctionRef(f"{module}:fit"),
        FunctionRef(f"{module}:restore"), COUNT, noise_factor, THREADS,
    )  # fmt: skip
    return output.folder


def facts(folder):
    return json.loads((folder / "facts.json").read_text())


def test_given_images_are_measured_as_they_are(test, tmp_path):
    """Every one, by every metric; the spread is that of all; the first ones are kept."""
    output = Output(tmp_path / "out")
    measure_given(output, test, exam(), THREADS)
    clean, given = (np.load(test[name].path) for name in ("clean", "given"))
    scores = pd.read_parquet(output.folder / "scores.parquet")

    assert scores.columns.tolist() == ["image", "mse", "psnr", "ssim", "mae"]
    assert scores["image"].tolist() == list(range(COUNT))
    expected = np.square(clean.astype(np.float64) - given).mean(axis=(1, 2, 3))
    assert scores["mse"].to_numpy() == pytest.approx(expected)
    assert scores["ssim"].isna().all()  # its window is larger than these images
    deviation = [np.sqrt(one.astype(np.float64).var(axis=0).mean()) for one in (clean, given)]
    assert list(facts(output.folder)["spread"].values()) == pytest.approx(deviation)
    assert np.array_equal(np.load(output.folder / "first.npy"), given[:10])


def test_a_network_is_measured_in_batches_of_any_size(test, tmp_path, monkeypatch):
    """By what Keras itself predicts."""
    from tasks.formats.keras_files import load_network

    trained, output = Output(tmp_path / "trained"), Output(tmp_path / "out")
    training = ResolvedTraining(epochs=1, batch_size=4, precision="float32", threads=THREADS)
    train(trained, test["given"], test["clean"], "denoiser", 0, training)
    network = reference(trained.folder / "denoiser.keras")
    monkeypatch.setattr("tasks.measuring.SIZE", 5 * 8 * 8 * 4)
    measure_network(output, test, exam(), network, THREADS)
    clean, given = (np.load(test[name].path) for name in ("clean", "given"))
    predicted = load_network(network.path).predict(given, verbose=0)

    scores = pd.read_parquet(output.folder / "scores.parquet")
    expected = np.square(clean.astype(np.float64) - predicted).mean(axis=(1, 2, 3))
    assert np.allclose(scores["mse"], expected, atol=1e-5)
    assert np.allclose(np.load(output.folder / "first.npy"), predicted[:10], atol=1e-5)


@pytest.mark.parametrize("module", [MEDIAN, LINEAR, PATCHES])
def test_a_method_is_measured_in_batches_of_any_size(module, test, tmp_path, monkeypatch):
    """One score per image, in order; equal settings give equal bytes."""
    whole = [measured(tmp_path / name, test, module) for name in "ab"]
    monkeypatch.setattr("tasks.measuring.SIZE", 5 * 8 * 8 * 4)
    parts = measured(tmp_path / "parts", test, module)

    for path in whole[0].iterdir():
        assert path.read_bytes() == (whole[1] / path.name).read_bytes()
    for name in ("scores", "levels"):
        one, two = (pd.read_parquet(folder / f"{name}.parquet") for folder in (whole[0], parts))
        if name == "levels":  # in batches, the levels take turns
            one, two = (table.groupby(["noise", "factor"]).mean() for table in (one, two))
            assert one.index.equals(two.index)
        assert np.allclose(one, two, atol=1e-5, equal_nan=True)


def test_a_slow_method_is_measured_on_a_sample_that_names_its_images(test, tmp_path):
    """The same images for every method; all, if there are fewer."""
    some = pd.read_parquet(measured(tmp_path / "a", test, MEDIAN, images=5) / "scores.parquet")
    same = pd.read_parquet(measured(tmp_path / "b", test, LINEAR, images=5) / "scores.parquet")
    every = pd.read_parquet(measured(tmp_path / "c", test, MEDIAN, images=100) / "scores.parquet")

    assert len(set(some["image"])) == 5
    assert some["image"].tolist() == sorted(some["image"]) == same["image"].tolist()
    assert every["image"].tolist() == list(range(COUNT))
    assert some["mse"].tolist() == pytest.approx(every["mse"][some["image"]].tolist())


def test_the_best_the_median_and_the_worst_image_are_kept(test, tmp_path):
    """Each clean and restored."""
    output = Output(tmp_path / "out")
    measure_given(output, test, exam(), THREADS)
    clean, given = (np.load(test[name].path) for name in ("clean", "given"))
    order = np.argsort(np.square(clean - given).mean(axis=(1, 2, 3)))
    kept = np.load(output.folder / "extremes.npy")

    for index, row in enumerate(order[[0, COUNT // 2, -1]]):
        assert np.array_equal(kept[2 * index : 2 * index + 2], [clean[row], given[row]])


def test_levels_hold_the_same_images_with_the_same_noise(test, tmp_path):
    """Only stronger or weaker: without clipping, the error grows with the square of the factor."""
    output = Output(tmp_path / "out")
    measure_given(output, test, exam(), THREADS)
    levels = pd.read_parquet(output.folder / "levels.parquet")
    by_level = levels.groupby(["noise", "factor"])["mse"]

    assert by_level.size().tolist() == [4] * 2 * len(FACTORS)
    assert set(levels["noise"]) == {"clipped", "unclipped"}
    one, two = (by_level.get_group(("unclipped", factor)).to_numpy() for factor in (0.2, 0.4))
    assert two == pytest.approx(4 * one, rel=1e-4)
    assert (by_level.mean()["clipped"] < by_level.mean()["unclipped"]).all()


def test_noise_of_the_users_own_has_no_other_levels(test, tmp_path):
    """What is not known cannot be drawn; the rest is measured all the same."""
    changes = examination(SETTINGS, slow=False, own_noise=True)
    folder = measured(tmp_path / "out", test, MEDIAN, noise_factor=None, **changes)

    assert len(pd.read_parquet(folder / "levels.parquet")) == 0
    assert len(pd.read_parquet(folder / "scores.parquet")) == COUNT


def test_what_does_not_suit_a_method_leaves_it_out_with_a_reason(test, tmp_path):
    """It writes the same files without a row, so the run goes on."""
    folder = measured(tmp_path / "out", test, PATCHES, noise_factor=None)

    assert "Gaussian noise" in facts(folder)["left_out"]
    assert len(pd.read_parquet(folder / "scores.parquet")) == 0
    assert {path.name for path in folder.iterdir()} == {
        path.name for path in measured(tmp_path / "suits", test, PATCHES).iterdir()
    }


def test_what_was_learned_is_told_as_far_as_it_is_a_number(test, tmp_path):
    """Such as the window of a filter."""
    folder = measured(tmp_path / "out", test, MEDIAN)

    assert facts(folder)["learned"] == {"strength": float(read_arrays(folder / "learned.npz")[
        "strength"])}  # fmt: skip


def test_images_that_are_not_numbers_are_scored_as_such(test, saved, tmp_path):
    """Their scores are NaN in the table, they are the worst; JSON has no NaN."""
    broken = np.load(test["given"].path)
    broken[3] = np.nan
    output = Output(tmp_path / "out")
    measure_given(output, {**test, "given": saved("broken", broken)}, exam(), THREADS)
    scores = pd.read_parquet(output.folder / "scores.parquet")

    assert scores["mse"].isna().tolist() == [row == 3 for row in range(COUNT)]
    assert facts(output.folder)["spread"]["restored"] is None
    assert np.isnan(np.load(output.folder / "extremes.npy")[5]).all()


CHILD = """
import sys
from pathlib import Path
from tests.stages import test_measuring as one
from tasks.engine.files import reference

folder = Path(sys.argv[1])
test = {name: reference(folder.parent / f"{name}.npy") for name in ("clean", "given")}
one.measured(folder, test, sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("module", [LINEAR, COMPONENTS, PATCHES])
def test_bytes_do_not_depend_on_the_threads_of_linear_algebra(module, saved, tmp_path):
    """However many the environment asks for."""
    rng = np.random.default_rng(0)
    for name in ("clean", "given"):
        saved(name, rng.random((600, 16, 16, 1), np.float32))
    found = []
    for threads in ("1", "2", "5"):
        folder = tmp_path / threads
        subprocess.run(
            [sys.executable, "-c", CHILD, str(folder), module], check=True, cwd=HOME,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        )  # fmt: skip
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})

    assert found[0] == found[1] == found[2]


def test_linear_codes_get_better_with_every_number_until_they_are_exact(saved, tmp_path):
    """One row per size of the code, from none to as many numbers as the image has."""
    rng = np.random.default_rng(0)
    images = saved("many", rng.random((100, 4, 4, 1), np.float32))
    folder = measured(tmp_path / "pca", {"clean": images, "given": images}, COMPONENTS)
    output = Output(tmp_path / "out")
    measure_codes(output, images, reference(folder / "learned.npz"))
    found = pd.read_csv(output.folder / "linear_codes.csv")

    assert found["numbers"].tolist() == list(range(17))
    assert (np.diff(found["mse"]) < 0).all()
    assert found["mse"].iloc[0] == pytest.approx(np.load(images.path).var(axis=0).mean(), rel=0.2)
    assert found["mse"].iloc[-1] < 1e-9


def test_without_components_there_are_no_linear_codes(test, saved, tmp_path):
    """Large images have none; the table says so by having no row."""
    large = saved("large", np.zeros((3, 50, 50, 3), np.float32))
    folder = measured(tmp_path / "pca", {"clean": large, "given": large}, COMPONENTS)
    output = Output(tmp_path / "out")
    measure_codes(output, large, reference(folder / "learned.npz"))

    assert "7,500 numbers" in facts(folder)["left_out"]
    assert len(pd.read_csv(output.folder / "linear_codes.csv")) == 0


def test_every_method_is_of_one_kind():
    """Trained, classical, or neither; the functions of a classical one can be loaded."""
    for method in METHODS:
        assert not (method.trained and method.module)
        for name in ("fit", "restore") if method.module else ():
            assert callable(FunctionRef(f"{method.module}:{name}").load())
