"""The records of runs: one that cannot be read is named and skipped, whatever is wrong with it."""

import json
import os

import pytest

from tasks.engine.errors import StoreError
from tasks.engine.journal import (
    RECORD_VERSION,
    Journal,
    finished_runs,
    read_record,
    run_lock,
    unfinished_runs,
)
from tasks.engine.locks import try_lock, unlock
from tasks.engine.published import all_runs, find_run, publish_run
from tasks.engine.store import Store

RUN = {"flow": "toy", "settings": {"amount": 1}, "data": {}}


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


def finish(store, name):
    """Publish a run without steps; return its record."""
    with Journal(store, name=name, **RUN) as journal:
        return publish_run(store, journal.finished(), {}, {}, {}, latest=True).record


def fail(store, name):
    """Leave the journal of a run that failed; return its name."""
    with pytest.raises(ValueError, match="no"), Journal(store, name=name, **RUN) as journal:
        raise ValueError("no")
    return journal.record.name


def rewritten(change):
    def damage(path):
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    return damage


def replaced(content):
    def damage(path):
        path.write_bytes(content)

    return damage


def in_its_place(make):
    def damage(path):
        path.unlink()
        make(path)

    return damage


DAMAGE = {
    "cut short": lambda path: os.truncate(path, 100),
    "empty": replaced(b""),
    "not JSON": replaced(b"a,b\n1,2\n"),
    "not UTF-8": replaced(b'{"name": "\xff\xfe"}'),
    "another form": replaced(b"[1, 2]"),
    "a number": replaced(b"1"),
    "nested deeply": replaced(b"[" * 100_000),
    "a field more": rewritten(lambda record: record.update(extra=1)),
    "a field less": rewritten(lambda record: record.pop("started")),
    "another name": rewritten(lambda record: record.update(name="20250101-000000-other")),
    "no name": rewritten(lambda record: record.update(name="../../x")),
    "a version of another type": rewritten(lambda record: record.update(version="one")),
    "missing": lambda path: path.unlink(),
    "a folder": in_its_place(lambda path: path.mkdir()),
    "a pipe": in_its_place(os.mkfifo),
    "a dangling link": in_its_place(lambda path: path.symlink_to("nowhere")),
    "a link loop": in_its_place(lambda path: path.symlink_to(path)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_broken_record_is_named_once_and_skipped(store, damage):
    """The other runs are listed as ever."""
    broken, whole = finish(store, "broken"), finish(store, "whole")
    path = store.root / "runs" / broken.name / "run.json"
    damage(path)
    warnings = []

    assert [run.name for run in all_runs(store, warnings.append)] == [whole.name]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: ")
    assert f"remove {path.parent}" in warnings[0]
    assert find_run(store, "whole").name == whole.name


@pytest.mark.parametrize("damage", [one for name, one in DAMAGE.items() if name != "missing"])
def test_a_broken_journal_is_named_once_and_skipped(store, damage):
    """Such as one that a full disk or a crash has left empty."""
    broken, whole = fail(store, "broken"), fail(store, "whole")
    path = store.root / "active" / f"{broken}.json"
    damage(path)
    warnings = []

    assert [run.name for run in unfinished_runs(store, warnings.append)] == [whole]
    assert len(warnings) == 1
    assert f"remove {path}" in warnings[0]


def test_a_newer_record_is_told_from_damage(store):
    """Whatever its form; unknown fields in a record of our version are damage."""
    name = finish(store, "newer").name
    path = store.root / "runs" / name / "run.json"
    path.write_text(json.dumps({"version": RECORD_VERSION + 1, "run": {"title": name}}))

    with pytest.raises(StoreError, match=r"newer version of this project\. .*update"):
        read_record(path, name)


def test_an_older_record_is_read(store):
    """It carries no version."""
    name = finish(store, "older").name
    path = store.root / "runs" / name / "run.json"
    rewritten(lambda record: record.pop("version"))(path)

    assert [(run.name, run.version) for run in finished_runs(store)] == [(name, 0)]


@pytest.mark.parametrize("place", ["runs", "active"])
def test_no_folder_of_records_is_no_run(store, place):
    """A file, or a link that leads nowhere, in its place."""
    store.root.mkdir()
    (store.root / place).symlink_to("nowhere")

    assert all_runs(store) == []
    name = finish(store, "first").name
    assert [run.name for run in all_runs(store)] == [name]
    assert (store.root / "aside" / f"{place}-1").is_symlink()


def test_two_runs_of_one_name_get_two_names(store):
    """Of the same second and name: one under way, one finished, one failed."""
    with Journal(store, name="same", **RUN) as first:
        twins = [Journal(store, name="same", **RUN) for _ in range(4)]
        for twin in twins:
            twin.record = twin.record.model_copy(update={"name": first.record.name})
        with twins[0] as second:
            publish_run(store, second.finished(), {}, {}, {}, latest=True)
        with pytest.raises(ValueError, match="no"), twins[1] as third:
            raise ValueError("no")
        with twins[2] as fourth:
            names = {one.record.name for one in (first, second, third, fourth)}
            assert {run.name for run in all_runs(store)} == names
    assert names == {f"{first.record.name}{end}" for end in ("", "-2", "-3", "-4")}


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo,
                                  lambda path: path.symlink_to("nowhere")])  # fmt: skip
@pytest.mark.parametrize("place", ["locks/store", "locks/run", "locks"])
def test_what_stands_in_a_locks_place_is_moved_aside(store, make, place):
    """It would block every run for ever."""
    store.root.mkdir()
    path = store.root / place
    if place != "locks" or make is not DAMAGE:
        path.parent.mkdir(exist_ok=True)
    make(path)
    held = try_lock(store.root / "locks" / "run")

    assert held is not None
    unlock(store.root / "locks" / "run", held)
    name = finish(store, "first").name
    assert [run.name for run in all_runs(store)] == [name]
    assert not (store.root / "nowhere").exists()
    assert not (store.root / "locks" / "nowhere").exists()


def test_the_journal_is_written_once_a_step(store, monkeypatch):
    """And once at the start: a step costs no more than one small file."""
    written = []
    real = os.replace
    monkeypatch.setattr("pathlib.Path.replace", lambda path, target: (
        written.append(target), real(path, target))[-1])  # fmt: skip
    with Journal(store, name="counted", **RUN) as journal:
        for number in range(5):
            journal.begin(f"step {number}", "copies", f"{number:032x}")
            journal.end("Completed", 0.1)

    assert len(written) == 1 + 5


def test_a_lock_without_a_record_is_no_run(store):
    """Nothing is listed that has no record."""
    path = run_lock(store, "20250101-000000-lost")
    held = try_lock(path)

    assert all_runs(store) == []
    unlock(path, held)
