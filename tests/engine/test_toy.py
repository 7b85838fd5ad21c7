"""A pipeline in less than thirty lines of code gets all that the engine promises."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import engine
from tasks.engine.explain import explain_plan
from tasks.engine.journal import unfinished_runs
from tasks.engine.published import finished_runs
from tasks.engine.runner import Planner, input_refs
from tasks.engine.sources import track
from tasks.engine.store import Store
from tasks.engine.verify import verify_store
from tasks.engine.watching import watched_by
from tests.engine.toy import pipeline, toy
from tests.support import HOME

TOY = Path(__file__).with_name("toy.py")
KILLED = """
import os, signal, sys
from pathlib import Path
from tasks.engine.sources import track
from tests.engine.toy import toy

track("tests", "tasks")
write = Path.write_text

def write_and_die(path, text):
    write(path, text)
    if "add-" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)

Path.write_text = write_and_die
toy(Path(sys.argv[1]), Path(sys.argv[2]))
"""
"""Runs the toy in a process that is killed when the second stage has written its file."""


@pytest.fixture
def number(tmp_path):
    """A text file with the number 7."""
    path = tmp_path / "seven.txt"
    path.write_text("7")
    return path


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


@pytest.fixture
def run(prefect_server, number, store):
    """Return a function that runs the toy; it returns the number and each step's final state."""
    track("tests", "tasks")  # as every process that shares a store must do

    def run(amount=1):
        folder = Path(toy(number, store.root, amount))
        record = finished_runs(store)[-1]
        assert record.name == folder.name
        return (folder / "number.txt").read_text(), {one.step: one.state for one in record.steps}

    return run


def planned(store, number, amount):
    """Return the state of each step as planned, and why it would run."""
    planner = Planner(store)
    pipeline(planner, input_refs({"number": number}), amount)
    earlier = finished_runs(store)
    return {one.label: (one.state, explain_plan(store, one, earlier)) for one in planner.steps}


def test_the_toy_is_small():
    """What a first pipeline costs: fewer than thirty lines that are not blank."""
    lines = [line for line in TOY.read_text().splitlines() if line.strip()]

    assert len(lines) < 30
    assert set(re.findall(r"^from (\S+)", TOY.read_text(), re.M)) == {
        "pathlib", "prefect", "tasks.engine.handles", "tasks.engine.runs", "tasks.engine.store",
    }  # fmt: skip


def test_a_second_run_takes_everything_from_the_cache(run):
    """Prefect itself reports the state `Cached`."""
    assert run() == ("15", {"double": "Completed", "add": "Completed"})
    assert run() == ("15", {"double": "Cached", "add": "Cached"})


def test_a_watcher_is_told_of_every_step(run):
    """When it begins and how it ended, within the process of the run; before and after, nothing."""

    class Notes(list):
        def begins(self, step):
            self.append(step)

        def says(self, line):
            self.append(line)

        def moves(self, share):
            self.append(share)

        def ends(self, step, state, seconds):
            self.append((step, state, seconds > 0))

    notes = Notes()
    with watched_by(notes):
        run()
    run()

    assert notes == ["double", ("double", "Completed", True), "add", ("add", "Completed", True)]


def test_a_changed_setting_recomputes_only_what_receives_it(run):
    """The first stage does not get the amount."""
    run(amount=1)

    assert run(amount=2) == ("16", {"double": "Cached", "add": "Completed"})


def test_a_deleted_artifact_heals(run, store):
    """It is a miss, and what is built on it stays valid, since its bytes are the same."""
    run()
    for folder in (store.root / "double").iterdir():
        shutil.rmtree(folder)

    assert run() == ("15", {"double": "Completed", "add": "Cached"})


def test_a_plan_says_what_would_run_and_why(run, store, number):
    """Without running anything, by the name of the setting that changed."""
    before = planned(store, number, amount=1)
    run(amount=1)

    assert before == {
        "double": ("compute", "it was not computed before"),
        "add": ("depends", "computed, unless the steps before it write the same bytes as an "
                "earlier run"),
    }  # fmt: skip
    assert planned(store, number, amount=1) == {"double": ("cached", ""), "add": ("cached", "")}
    assert planned(store, number, amount=5) == {
        "double": ("cached", ""),
        "add": ("compute", "setting amount: 1 -> 5"),
    }


def test_a_changed_input_is_named(run, store, number):
    """By its name and the digests of its content before and now."""
    run()
    number.write_text("8")

    state, reason = planned(store, number, amount=1)["double"]
    assert state == "compute"
    assert re.fullmatch(r"input number: [0-9a-f]{12}… -> [0-9a-f]{12}…", reason)


def test_a_run_killed_in_the_second_stage_resumes_after_the_first(
    run, store, number, server_environment
):
    """Killed when the file is written but not published: it is nowhere to be seen."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, number, store.root],
        env=server_environment, cwd=HOME, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [stage for stage, _ in store.artifacts()] == ["double"]
    assert verify_store(store, lambda done, total: None) == []
    assert not (store.root / "latest").exists()
    [interrupted] = unfinished_runs(store)
    assert interrupted.state == "interrupted"
    assert [step.step for step in interrupted.steps] == ["double", "add"]

    assert run() == ("15", {"double": "Cached", "add": "Completed"})
    assert list((store.root / "tmp").iterdir()) == []
    assert [path.name for path in (store.root / "locks").glob("add-*")] == []


def test_the_engine_runs_under_another_name_without_this_project(
    tmp_path, number, store, server_environment
):
    """It imports nothing of the project, so it could be published by itself."""
    folder = tmp_path / "elsewhere"
    source = Path(engine.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, folder / "pipeline_engine", ignore=ignored)
    toy_text = TOY.read_text().replace("tasks.engine", "pipeline_engine")
    (folder / "standalone_toy.py").write_text(toy_text)
    program = (
        "import sys; from pathlib import Path; from standalone_toy import toy\n"
        "for _ in 'ab': print(toy(Path(sys.argv[1]), Path(sys.argv[2])))\n"
        "print(*(name for name in sys.modules if name.split('.')[0] in"
        " ('tasks', 'flows', 'autoencoders')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, number, store.root],
        env=server_environment, cwd=folder, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    first, second, foreign = done.stdout.splitlines()
    assert foreign == ""
    assert (Path(first) / "number.txt").read_text() == "15"
    records = {record.name: record for record in finished_runs(store)}
    states = [[step.state for step in records[Path(one).name].steps] for one in (first, second)]
    assert states == [["Completed", "Completed"], ["Cached", "Cached"]]
