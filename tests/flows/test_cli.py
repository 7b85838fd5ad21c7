"""The command line beside the flows, on a store that real runs have filled."""

import json
import shutil
import subprocess
import sys

import pytest

from tasks.engine.journal import unfinished_runs
from tasks.engine.published import finished_runs
from tasks.engine.store import Store
from tests.support import SMALL, STEPS, Project, contents

OPTIONS = (*SMALL[:4], "--training.epochs", 1, "--noise.factor", 0.3)


@pytest.fixture(scope="module")
def project(tmp_path_factory, server_environment):
    """A project with two finished runs."""
    project = Project.create(tmp_path_factory.mktemp("project"), server_environment)
    for factor in (0.5, 0.3):
        project.full(*OPTIONS[:-1], factor)
    return project


def test_plan_says_that_a_repetition_computes_nothing(project):
    """The same options, the same files: everything is cached."""
    rows = project.planned(*OPTIONS)

    assert list(rows) == STEPS
    assert {row["state"] for row in rows.values()} == {"cached"}


def test_plan_runs_nothing(project):
    """It adds no run and no artifact."""
    folder = project.folder
    before = contents(folder / "artifacts")
    project.planned(*OPTIONS[:-1], 0.7)

    assert contents(folder / "artifacts") == before


def test_plan_names_the_setting_that_changed(project):
    """Old and new value, and what depends on whether the noise comes out differently."""
    rows = project.planned(*OPTIONS[:-1], 0.7)

    assert rows["prepare train"]["state"] == "cached"
    assert rows["add noise train"]["state"] == "compute"
    assert rows["add noise train"]["why"] == "setting noise.factor: 0.3 -> 0.7"
    assert rows["train autoencoder"]["state"] == "cached"
    assert rows["train denoiser"]["state"] == "depends"


def test_plan_names_the_function_that_changed(project):
    """And an edited comment changes nothing."""
    path = "autoencoders/metrics/quality.py"
    undo = project.edit(
        path, "    error = clean.astype", "    # how far it is off\n    error = clean.astype"
    )
    assert {row["state"] for row in project.planned(*OPTIONS).values()} == {"cached"}
    undo()
    undo = project.edit(path, "    return -10 * np.log10", "    return -10.0 * np.log10")
    rows = project.planned(*OPTIONS)
    undo()

    assert {step: row["state"] for step, row in rows.items() if row["state"] != "cached"} == {
        "score noisy": "compute", "score autoencoder": "compute", "score denoiser": "compute",
        "evaluate": "depends", "draw score distribution": "depends",
    }  # fmt: skip
    assert rows["score denoiser"]["why"] == "psnr of autoencoders/metrics/quality.py changed"


def test_an_edited_helper_is_computed_with_and_explained(project):
    """The run that follows an edit uses the new code, and says afterwards why it ran."""
    folder = project.folder
    undo = project.edit("autoencoders/figures/image_rows.py", "CELL = 0.85", "CELL = 0.5")
    try:
        before = (folder / "artifacts/latest/figures/noise.png").read_bytes()
        project.full(*OPTIONS)
        done = finished_runs(Store(folder / "artifacts"))[-1].steps
        after = (folder / "artifacts/latest/figures/noise.png").read_bytes()
        [explained] = project.explained("draw noise")
    finally:
        undo()

    assert [step.step for step in done if step.state == "Completed"] == [
        "draw reconstructions", "draw noise", "draw denoising",
    ]  # fmt: skip
    assert before != after
    assert explained["differences"] == [
        {"kind": "code", "name": "autoencoders.figures.image_rows:CELL", "old": "CELL = 0.85",
         "new": "CELL = 0.5"},
    ]  # fmt: skip


def test_explain_names_the_input_that_changed(project):
    """The second run had different noise, so the denoiser was trained again."""
    folder, run = project.folder, project.run
    name = finished_runs(Store(folder / "artifacts"))[1].name
    shown = run("cli.py", "explain", "train denoiser", "--run", name)
    found = project.explained("add_noise", "--run", name)

    assert "input" in shown
    assert "inputs" in shown
    assert [one["differences"][0]["name"] for one in found] == ["noise.factor"] * 2


def test_explain_knows_its_steps(project):
    """An unknown name is answered with the known ones."""
    run = project.run

    assert "train denoiser" in run("cli.py", "explain", "denoise", code=1)
    assert "no finished run" in run("cli.py", "explain", "train", "--run", "../x", code=1)


def test_runs_lists_every_run(project):
    """With its settings, how much it computed and the error of its networks."""
    run = project.run
    rows = json.loads(run("cli.py", "runs", "--json"))

    assert [row["noise"] for row in rows[:2]] == [0.5, 0.3]
    assert rows[0]["computed"] == "19/19"
    assert rows[1]["computed"] == "11/19"
    assert all(0 < row["denoiser MSE"] < 1 for row in rows)
    shown = run("cli.py", "runs")
    assert f"{rows[0]['denoiser MSE']:.5g}" in shown
    assert rows[0]["run"][:15] in shown


def test_compare_shows_what_differs(project):
    """The noise factor, and the metrics of both."""
    folder, run = project.folder, project.run
    first, second = (record.name for record in finished_runs(Store(folder / "artifacts"))[:2])
    rows = {r["what"]: r for r in json.loads(run("cli.py", "compare", first, second, "--json"))}

    assert (rows["noise.factor"]["A"], rows["noise.factor"]["B"]) == (0.5, 0.3)
    assert "training.epochs" not in rows
    assert rows["noisy mse"]["change"] < 0
    assert rows["autoencoder mse"]["change"] == 0


def test_verify_finds_what_was_changed_by_hand(project):
    """It names the file, ends with exit code 1, and the next run heals."""
    folder, run = project.folder, project.run
    metrics = (folder / "artifacts" / "latest" / "metrics.json").resolve()
    whole = metrics.read_bytes()
    metrics.chmod(0o644)
    metrics.write_bytes(whole.replace(b"0", b"1"))

    assert "1 damaged" in run("cli.py", "verify", code=1)
    assert project.planned(*OPTIONS)["evaluate"]["state"] == "compute"
    project.full(*OPTIONS)
    assert metrics.read_bytes() == whole
    assert "all intact" in run("cli.py", "verify")


def test_gc_keeps_what_the_last_runs_use(project, tmp_path):
    """It says what it frees; a dry run frees nothing; `latest` still opens afterwards."""
    folder, run = project.folder, project.run
    artifacts = tmp_path / "artifacts"
    shutil.copytree(folder / "artifacts", artifacts, symlinks=True)
    (artifacts / "tmp" / "trash-young").mkdir()
    before = contents(artifacts)
    where = ("--artifacts", artifacts)
    would = json.loads(run("cli.py", "gc", "--keep-last", 1, "--dry-run", "--json", *where))
    assert contents(artifacts) == before
    did = json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", *where))

    assert did == would
    assert {"add_noise", "train", "restore", "score", "evaluate", "render", "run"} == {
        one["kind"] for one in did
    }
    assert len(finished_runs(Store(artifacts))) == 1
    assert contents(artifacts / "latest") == contents(folder / "artifacts" / "latest")
    assert {row["state"] for row in project.planned(*OPTIONS, *where).values()} == {"cached"}
    assert json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", *where)) == []


def test_gc_keeps_what_a_run_under_way_uses(project, tmp_path, server_environment):
    """It may run while a pipeline trains, which then completes."""
    folder, run = project.folder, project.run
    artifacts = tmp_path / "artifacts"
    shutil.copytree(folder / "artifacts", artifacts, symlinks=True)
    process = subprocess.Popen(
        [sys.executable, folder / "flows" / "full.py", "--data", folder / "data",
         *map(str, OPTIONS[:4]), "--training.epochs", "3", "--noise.factor", "0.9",
         "--artifacts", artifacts],
        env=server_environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if "autoencoder: epoch 1/3" in line:
            break
    [record] = unfinished_runs(Store(artifacts))
    freed = json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", "--artifacts", artifacts))
    output = process.communicate(timeout=200)[0]

    assert record.state == "running"
    assert freed
    assert process.returncode == 0, output
    assert unfinished_runs(Store(artifacts)) == []


def test_an_empty_store_is_no_error(project, tmp_path):
    """Before the first run there is nothing to list, verify or remove."""
    run = project.run
    where = ("--artifacts", tmp_path / "nothing")

    assert json.loads(run("cli.py", "runs", "--json", *where)) == []
    assert "0 artifacts" in run("cli.py", "verify", *where)
    assert "0.0 MB" in run("cli.py", "gc", "--keep-last", 3, *where)
    assert "latest: no finished run" in run("cli.py", "explain", "train", *where, code=1)


def test_a_damaged_record_of_a_run_is_named(project, tmp_path):
    """The collector does not guess what that run used."""
    folder, run = project.folder, project.run
    artifacts = tmp_path / "artifacts"
    shutil.copytree(folder / "artifacts", artifacts, symlinks=True)
    [first, *_] = sorted((artifacts / "runs").glob("*/run.json"))
    first.write_text(first.read_text().replace('"name":"', '"name":"../../').replace(
        '"name": "', '"name": "../../'))  # fmt: skip

    error = run("cli.py", "gc", "--keep-last", 1, "--artifacts", artifacts, code=1)
    assert str(first) in error
