"""The command line beside the flows, on a store that real runs have filled."""

import json
import shutil
import subprocess
import sys

import pytest

from tasks.journal import unfinished_runs
from tasks.runs import finished_runs
from tasks.store import Store
from tests.conftest import HOME, _write_dataset
from tests.test_flows_full import SMALL, STEPS, contents


@pytest.fixture(scope="module")
def project(tmp_path_factory, server_environment):
    """A copy of our packages that a test may edit, with data and two finished runs."""
    folder = tmp_path_factory.mktemp("project")
    for package in ("flows", "tasks", "autoencoders"):
        shutil.copytree(HOME / package, folder / package, ignore=shutil.ignore_patterns("__*__"))
        (folder / package / "__init__.py").write_text("")
    _write_dataset(folder / "data", side=12)

    def run(script, *arguments, code=0):
        done = subprocess.run(
            [sys.executable, folder / "flows" / script, *map(str, arguments)],
            env=server_environment, cwd=folder, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    for factor in (0.5, 0.3):
        run("full.py", "--data", folder / "data", *SMALL[:4], "--training.epochs", 1,
            "--noise.factor", factor)  # fmt: skip
    return folder, run


OPTIONS = (*SMALL[:4], "--training.epochs", 1, "--noise.factor", 0.3)


def planned(project, *options):
    """Return the state of every step, as `plan` sees it."""
    folder, run = project
    rows = json.loads(run("cli.py", "plan", "--data", folder / "data", *options, "--json"))
    return {row["step"]: row for row in rows}


def edit(path, old, new):
    """Replace a text in a file; return what undoes it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return lambda: path.write_text(text)


def test_plan_says_that_a_repetition_computes_nothing(project):
    """The same options, the same files: everything is cached."""
    rows = planned(project, *OPTIONS)

    assert list(rows) == STEPS
    assert {row["state"] for row in rows.values()} == {"cached"}


def test_plan_runs_nothing(project):
    """It adds no run and no artifact."""
    folder, _ = project
    before = contents(folder / "artifacts")
    planned(project, *OPTIONS[:-1], 0.7)

    assert contents(folder / "artifacts") == before


def test_plan_names_the_setting_that_changed(project):
    """Old and new, and what depends on whether the noise comes out otherwise."""
    rows = planned(project, *OPTIONS[:-1], 0.7)

    assert rows["prepare train"]["state"] == "cached"
    assert rows["add noise train"]["state"] == "compute"
    assert rows["add noise train"]["why"] == "setting noise.factor: 0.3 -> 0.7"
    assert rows["train autoencoder"]["state"] == "cached"
    assert rows["train denoiser"]["state"] == "depends"


def test_plan_names_the_function_that_changed(project):
    """And an edited comment changes nothing."""
    folder, _ = project
    path = folder / "autoencoders" / "evaluation.py"
    undo = edit(
        path, "    error = clean.astype", "    # how far it is off\n    error = clean.astype"
    )
    assert planned(project, *OPTIONS)["evaluate"]["state"] == "cached"
    undo()
    undo = edit(path, "    return -10 * np.log10", "    return -10.0 * np.log10")
    rows = planned(project, *OPTIONS)
    undo()

    assert [row["state"] for row in rows.values()] == ["cached"] * 7 + ["compute", "depends"]
    assert rows["evaluate"]["why"] == "psnr of autoencoders/evaluation.py changed"


def test_an_edited_helper_is_computed_with_and_explained(project):
    """The run that follows an edit uses the new code, and says afterwards why it ran."""
    folder, run = project
    undo = edit(folder / "autoencoders" / "figures.py", "CELL = 0.85", "CELL = 0.5")
    try:
        before = (folder / "artifacts/latest/figures/noise.png").read_bytes()
        run("full.py", "--data", folder / "data", *OPTIONS)
        done = finished_runs(Store(folder / "artifacts"))[-1].steps
        assert [step.state for step in done] == ["Cached"] * 8 + ["Completed"]
        after = (folder / "artifacts/latest/figures/noise.png").read_bytes()
        [explained] = json.loads(run("cli.py", "explain", "render", "--json"))
    finally:
        undo()

    assert before != after
    assert explained["differences"] == [
        {"kind": "code", "name": "autoencoders.figures:CELL", "old": "CELL = 0.85",
         "new": "CELL = 0.5"},
    ]  # fmt: skip


def test_explain_names_the_input_that_changed(project):
    """The second run had other noise, so the denoiser was trained again."""
    folder, run = project
    name = finished_runs(Store(folder / "artifacts"))[1].name
    shown = run("cli.py", "explain", "train denoiser", "--run", name)
    found = json.loads(run("cli.py", "explain", "add_noise", "--run", name, "--json"))

    assert "input" in shown
    assert "inputs" in shown
    assert [one["differences"][0]["name"] for one in found] == ["noise.factor"] * 2


def test_explain_knows_its_steps(project):
    """A wrong name is answered with the right ones."""
    _, run = project

    assert "train denoiser" in run("cli.py", "explain", "denoise", code=1)
    assert "no finished run" in run("cli.py", "explain", "train", "--run", "../x", code=1)


def test_runs_lists_every_run(project):
    """With its settings, how much it computed, what it reached."""
    _, run = project
    rows = json.loads(run("cli.py", "runs", "--json"))

    assert [row["noise"] for row in rows[:2]] == [0.5, 0.3]
    assert rows[0]["computed"] == "9/9"
    assert rows[1]["computed"] == "5/9"
    assert all(0 < row["denoiser MSE"] < 1 for row in rows)
    shown = run("cli.py", "runs")
    assert f"{rows[0]['denoiser MSE']:.5g}" in shown
    assert rows[0]["run"][:15] in shown


def test_compare_shows_what_differs(project):
    """The noise factor, and the metrics of both."""
    folder, run = project
    first, second = (record.name for record in finished_runs(Store(folder / "artifacts"))[:2])
    rows = {r["what"]: r for r in json.loads(run("cli.py", "compare", first, second, "--json"))}

    assert (rows["noise.factor"]["A"], rows["noise.factor"]["B"]) == (0.5, 0.3)
    assert "training.epochs" not in rows
    assert rows["noisy mse"]["change"] < 0
    assert rows["autoencoder mse"]["change"] == 0


def test_verify_finds_what_was_changed_by_hand(project):
    """It names the file, ends with exit code 1, and the next run heals."""
    folder, run = project
    metrics = (folder / "artifacts" / "latest" / "metrics.json").resolve()
    whole = metrics.read_bytes()
    metrics.chmod(0o644)
    metrics.write_bytes(whole.replace(b"0", b"1"))

    assert "1 damaged" in run("cli.py", "verify", code=1)
    assert planned(project, *OPTIONS)["evaluate"]["state"] == "compute"
    run("full.py", "--data", folder / "data", *OPTIONS)
    assert metrics.read_bytes() == whole
    assert "all intact" in run("cli.py", "verify")


def test_gc_keeps_what_the_last_runs_use(project, tmp_path):
    """It says what it frees; a dry run frees nothing; `latest` still opens afterwards."""
    folder, run = project
    artifacts = tmp_path / "artifacts"
    shutil.copytree(folder / "artifacts", artifacts, symlinks=True)
    (artifacts / "tmp" / "trash-young").mkdir()
    before = contents(artifacts)
    where = ("--artifacts", artifacts)
    would = json.loads(run("cli.py", "gc", "--keep-last", 1, "--dry-run", "--json", *where))
    assert contents(artifacts) == before
    did = json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", *where))

    assert did == would
    assert {"add_noise", "train", "evaluate", "render", "run"} == {one["kind"] for one in did}
    assert len(finished_runs(Store(artifacts))) == 1
    assert contents(artifacts / "latest") == contents(folder / "artifacts" / "latest")
    assert {row["state"] for row in planned(project, *OPTIONS, *where).values()} == {"cached"}
    assert json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", *where)) == []


def test_gc_keeps_what_a_run_under_way_uses(project, tmp_path, server_environment):
    """It may run while a pipeline trains, which then ends well; a killed run can go on after it."""
    folder, run = project
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
    _, run = project
    where = ("--artifacts", tmp_path / "nothing")

    assert json.loads(run("cli.py", "runs", "--json", *where)) == []
    assert "0 artifacts" in run("cli.py", "verify", *where)
    assert "0.0 MB" in run("cli.py", "gc", "--keep-last", 3, *where)
    assert "latest: no finished run" in run("cli.py", "explain", "train", *where, code=1)


def test_a_damaged_record_of_a_run_is_named(project, tmp_path):
    """The collector does not guess what that run used."""
    folder, run = project
    artifacts = tmp_path / "artifacts"
    shutil.copytree(folder / "artifacts", artifacts, symlinks=True)
    [first, *_] = sorted((artifacts / "runs").glob("*/run.json"))
    first.write_text(first.read_text().replace('"name":"', '"name":"../../').replace(
        '"name": "', '"name": "../../'))  # fmt: skip

    error = run("cli.py", "gc", "--keep-last", 1, "--artifacts", artifacts, code=1)
    assert str(first) in error
