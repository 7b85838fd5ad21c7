"""The main job on data of other forms, without a server: its steps are called one by one."""

import csv
import json

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from autoencoders.settings import Settings
from flows.full import pipeline
from flows.results import Results
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.resolve import resolve_settings
from tests.forms import SPLITS, one_hot, pictures, text
from tests.forms import csv as plain


def run(data, folder, **settings):
    """Run the whole pipeline; return its results, and the steps that it took."""
    store, files, steps = Store(folder), input_refs(find_files(data)), []
    training = {"epochs": 1, "precision": "float32"}
    resolved = resolve_settings(Settings(**{"training": training, **settings}))

    def step(label, function, **inputs):
        steps.append(label)
        stage = stage_of(function)
        return stage.compute(store, stage.bind(**inputs))

    made = pipeline(step, files, resolved)
    return Results(files, made, resolved, ""), steps


@pytest.mark.slow
def test_one_file_of_odd_images_without_labels_is_enough(tmp_path):
    """5 x 5 pixels, levels to 16: no settings, no classes, everything else."""
    pixels = np.random.default_rng(0).integers(0, 17, (60, 25))
    (tmp_path / "levels.csv").write_text(text(pixels))
    results, _ = run(tmp_path / "levels.csv", tmp_path / "artifacts")
    summary = results.summary()

    assert "per_class.csv" not in results.files
    assert np.load(results.files["first/denoiser"].path).shape[1:] == (5, 5, 1)
    assert "test images of 5 x 5 x 1, Gaussian noise" in summary
    assert "- values: 0 to 16, read as levels from 0 to 16; rounded by 0." in summary
    assert {row["what"] for row in results.pages()[-1].content} >= {"size", "values", "decided"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("shared", "said"), [(0, "none of them a train image"), (3, "3 of them train images too")]
)
def test_the_report_says_how_many_test_images_were_trained_on(tmp_path, shared, said):
    """In its first sentence, where others only say that the images are new."""
    train, test = SPLITS["train"][0], SPLITS["test"][0].copy()
    test[:shared] = train[:shared]
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "train.npy", train)
    np.save(tmp_path / "data" / "test.npy", test)
    results, _ = run(tmp_path / "data", tmp_path / "artifacts")

    report = results.files["report.html"].path.read_text(encoding="utf-8")
    assert f"{len(test)} test images of 8 x 8 x 1, {said};" in report


@pytest.mark.slow
def test_classes_are_called_as_the_user_calls_them(tmp_path):
    """In the table of classes, in the order of their names."""
    (tmp_path / "data").mkdir()
    pictures(tmp_path / "data")
    for split in SPLITS:
        for old, new in zip("0123", ("zebra", "ant", "bee", "cow"), strict=True):
            (tmp_path / "data" / split / old).rename(tmp_path / "data" / split / new)
    results, _ = run(tmp_path / "data", tmp_path / "artifacts")

    with results.files["per_class.csv"].path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["ant", "bee", "cow", "zebra"]
    assert {row["images"] for row in rows} == {"5"}


@pytest.mark.long
def test_noise_of_the_users_own_is_what_the_denoiser_gets(tmp_path):
    """None is drawn; asking for fresh noise besides is a contradiction."""
    (tmp_path / "data").mkdir()
    for split, (pixels, _) in SPLITS.items():
        np.save(tmp_path / "data" / f"{split}_clean.npy", pixels)
        np.save(tmp_path / "data" / f"{split}_noisy.npy", 255 - pixels)
    results, steps = run(tmp_path / "data", tmp_path / "artifacts")
    clean, noisy = (np.load(results.files[f"images/test/{one}"].path) for one in ("clean", "noisy"))

    assert not [step for step in steps if step.startswith("add noise")]
    assert np.allclose(noisy, 1 - clean)
    assert "noise of the user's own" in results.summary()
    assert "Left out: `patches`, since it weighs patches by the likelihood" in results.summary()
    assert "other levels of it cannot be drawn" in results.summary()
    assert {"robustness.csv", "figures/robustness.png"}.isdisjoint(results.files)
    assert "patches" not in results.metrics()
    assert "as_papers" not in results.metrics()["denoiser"]
    with pytest.raises(PipelineError, match="fresh_noise"):
        run(tmp_path / "data", tmp_path / "artifacts", denoiser={"fresh_noise": True})


@pytest.mark.long
def test_another_form_of_equal_data_recomputes_nothing_but_its_reading(tmp_path):
    """The tables are the same bytes, so all else has the same key; the report names files."""
    made = []
    for write in (plain(), one_hot):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(run(write(folder), tmp_path / "artifacts")[0].files)
    different = {name for name in made[0] if made[0][name] != made[1][name]}

    assert different <= {"inspection.json", "report.html"}
    assert len(list((tmp_path / "artifacts" / "train").iterdir())) == 2


def test_inspect_prints_what_a_run_would_find_and_stores_nothing(run_flow, tmp_path):
    """A table for people, JSON for programs, a picture of the first images."""
    data = tmp_path / "digits.csv"
    data.write_text(text(np.c_[SPLITS["train"][0], SPLITS["train"][1]]))
    shown = run_flow("cli", "inspect", data, "--sheet", tmp_path / "first.png")
    found = json.loads(run_flow("cli", "inspect", data, "--json").stdout)

    assert shown.returncode == 0, shown.stderr
    assert "8 x 8, grey" in shown.stdout
    assert "--reading.label" in shown.stdout
    assert (tmp_path / "first.png").read_bytes().startswith(b"\x89PNG")
    assert found["shape"] == [8, 8, 1]
    assert found["files"] == {"data": str(data)}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["digits.csv", "first.png"]


def test_inspect_refuses_what_a_run_would_refuse(run_flow, tmp_path):
    """With the same message, and an exit code that says so."""
    (tmp_path / "data.csv").write_text("<html>")
    done = run_flow("cli", "inspect", tmp_path / "data.csv")

    assert done.returncode == 1
    assert "a web page" in done.stderr
    assert "Traceback" not in done.stderr
