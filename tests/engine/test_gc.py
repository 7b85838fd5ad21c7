"""Garbage collection among broken records, strange places and thousands of runs."""

import json
import os
import shutil
import subprocess
import time

import pytest

from tasks.engine.errors import StoreError
from tasks.engine.gc import collect_garbage
from tasks.engine.journal import Journal, RunRecord, finished_runs
from tasks.engine.locks import marking
from tasks.engine.published import publish_run
from tasks.engine.store import Store
from tasks.engine.verify import verify_store

RUN = {"flow": "toy", "settings": {}, "data": {}}
STEP = {"stage": "made", "state": "Completed", "seconds": 0.1}


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


def write_run(store, number, keys, flow=""):
    """Write the folder of a finished run that used the artifacts with these keys."""
    name = f"20250101-{number:06d}-run"
    steps = [{**STEP, "step": f"step {key}", "key": f"{key:032x}"} for key in keys]
    record = {"version": 1, "name": name, "flow": flow, "started": "", "data": {}, "settings": {},
              "steps": steps, "state": "finished"}  # fmt: skip
    folder = store.root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    for key in keys:
        made = store.root / "made" / f"{key:032x}"
        made.mkdir(parents=True, exist_ok=True)
        (made / "file.bin").write_bytes(b"12")
        (made / "manifest.json").write_text("{}")
    return folder / "run.json"


def keys(store):
    return [int(key, 16) for _, key in store.artifacts()]


def listing(store):
    return sorted((str(path), path.lstat().st_mtime_ns) for path in store.root.rglob("*"))


def test_the_last_runs_of_each_flow_are_kept(store):
    """A run of another flow does not push one out; records without a flow are of the main one."""
    for number, flow in enumerate(["", "full", "full", "glyphs", "glyphs"], start=1):
        write_run(store, number, [number], flow)
    (store.root / "latest").symlink_to("runs/20250101-000003-run")
    collect_garbage(store, 1, dry_run=False)

    assert keys(store) == [3, 5]


def test_what_a_broken_record_still_names_is_kept(store):
    """It is named; its folder and what it used stay, the other runs are collected."""
    broken = write_run(store, 1, [1, 2, 3])
    for number in (2, 3):
        write_run(store, number, [1, 10 * number])
    text = broken.read_text()
    broken.write_text(text[: text.index(f'"{3:032x}"')])
    warnings = []
    freed = collect_garbage(store, 1, dry_run=False, warn=warnings.append)

    assert [str(broken) in warning for warning in warnings] == [True]
    assert [(one.kind, one.size) for one in freed if one.kind == "made"] == [("made", 4)] * 2
    assert keys(store) == [1, 2, 30]
    assert broken.exists()


def test_what_a_newer_record_names_is_kept(store):
    """In whatever form it names it."""
    newer = write_run(store, 1, [1])
    newer.write_text(json.dumps({"version": 99, "uses": {"made": [f"{1:032x}"]}}))
    write_run(store, 2, [2])
    collect_garbage(store, 1, dry_run=False, warn=lambda text: None)

    assert keys(store) == [1, 2]


@pytest.mark.parametrize("damage", ["cut", "removed"])
def test_a_run_under_way_with_an_unreadable_record_stops_it(store, damage):
    """What that run uses is unknown; when it has ended, the record is only named."""
    write_run(store, 1, [1, 2])
    write_run(store, 2, [2])
    with Journal(store, name="run", **RUN) as journal:
        [path] = (store.root / "active").iterdir()
        os.truncate(path, 10) if damage == "cut" else path.unlink()
        for dry_run in (True, False):
            with pytest.raises(StoreError, match=rf"{journal.record.name} is under way"):
                collect_garbage(store, 1, dry_run=dry_run, warn=lambda text: None)
        assert keys(store) == [1, 2]
    path.write_text("")
    collect_garbage(store, 1, dry_run=False, warn=lambda text: None)
    assert keys(store) == [2]


@pytest.mark.parametrize("place", ["runs", "active"])
def test_runs_that_are_out_of_reach_are_not_taken_for_none(store, place):
    """A disk that is not mounted leaves a dangling link, and would make garbage of everything."""
    write_run(store, 1, [1])
    shutil.rmtree(store.root / place, ignore_errors=True)
    (store.root / place).symlink_to("/nowhere")

    with pytest.raises(StoreError, match=rf"{place}: is not a folder"):
        collect_garbage(store, 1, dry_run=False)
    assert keys(store) == [1]


def test_a_run_that_finishes_while_runs_are_read_keeps_what_it_used(store, monkeypatch):
    """Its journal is read before the folder of finished runs, so it is seen in either place."""
    write_run(store, 1, [1, 2])
    write_run(store, 2, [])
    real = RunRecord.model_validate_json
    with Journal(store, name="run", **RUN) as journal:
        journal.begin("step", "made", f"{1:032x}")

        def finish_first(content):
            monkeypatch.setattr(RunRecord, "model_validate_json", real)
            publish_run(store, journal.finished(), {}, {}, {}, latest=True)
            return real(content)

        monkeypatch.setattr(RunRecord, "model_validate_json", finish_first)
        collect_garbage(store, 1, dry_run=False)

    assert keys(store) == [1]


def test_a_run_that_was_published_stays_until_it_has_ended(store):
    """An alias may be about to name it, although a run that began later is there already."""
    with Journal(store, name="first", **RUN) as first:
        with Journal(store, name="second", **RUN) as second:
            publish_run(store, second.finished(), {}, {}, {}, latest=True)
        publish_run(store, first.finished(), {}, {}, {}, latest=False)
        collect_garbage(store, 1, dry_run=False)
        assert len(finished_runs(store)) == 2
    collect_garbage(store, 1, dry_run=False)

    assert [one.name for one in finished_runs(store)] == [second.record.name]


def test_what_is_published_meanwhile_is_not_garbage(store, monkeypatch):
    """Only what was there before the lock can be removed."""
    write_run(store, 1, [1])
    real = marking

    def publishing(*arguments, **options):
        (store.root / "made" / f"{9:032x}").mkdir()
        (store.root / "made" / f"{9:032x}" / "manifest.json").write_text("{}")
        return real(*arguments, **options)

    monkeypatch.setattr("tasks.engine.gc.marking", publishing)
    collect_garbage(store, 1, dry_run=False)

    assert keys(store) == [1, 9]


@pytest.mark.parametrize("used", [False, True])
def test_what_others_have_in_the_folder_is_left_alone(tmp_path, used):
    """Whatever its name: in a folder that is no store, and in one that became one."""
    old = time.time() - 3 * 24 * 3600
    files = [
        tmp_path / "outputs" / "0123456789abcdef0123456789abcdef" / "weights.bin",
        tmp_path / "tmp" / "thesis.txt",
        tmp_path / "locks" / "notes.txt",
    ]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("mine")
        os.utime(file, (old, old))
    store = Store(tmp_path)
    if used:
        with Journal(store, flow="toy", name="run", settings={}, data={}) as journal:
            publish_run(store, journal.finished(), {}, {}, {}, latest=True)

    assert collect_garbage(store, 1, dry_run=False) == []
    assert verify_store(store, lambda done, total: None) == []
    assert [file.read_text() for file in files] == ["mine"] * 3


def test_a_dry_run_writes_nothing(store):
    """Not even a lock; a store without any folder of ours stays so."""
    write_run(store, 1, [1])
    write_run(store, 2, [2])
    before = listing(store)
    freed = collect_garbage(store, 1, dry_run=True)

    assert listing(store) == before
    assert sorted((one.kind, one.size) for one in freed)[0] == ("made", 4)
    assert len(freed) == 2


def test_a_dry_run_works_on_a_read_only_store(store):
    """Such as one that another machine shares."""
    write_run(store, 1, [1])
    write_run(store, 2, [2])
    root = str(store.root)
    if subprocess.run(["mount", "--bind", root, root], capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
        assert len(collect_garbage(store, 1, dry_run=True)) == 2
        with pytest.raises(StoreError, match="Read-only"):
            collect_garbage(store, 1, dry_run=False)
    finally:
        subprocess.run(["umount", root], check=True)
    assert keys(store) == [1, 2]


def test_strange_things_in_the_stores_folders_are_left_alone(store):
    """What has no name of ours is nobody's garbage."""
    write_run(store, 1, [1])
    for place in ("checkpoints", "locks", "tmp", "made"):
        (store.room(place) / "no-thing").mkdir()
        (store.room(place) / "dangling-link").symlink_to("nowhere")

    assert collect_garbage(store, 1, dry_run=False) == []
    assert (store.root / "checkpoints" / "no-thing").is_dir()
    assert (store.root / "made" / "dangling-link").is_symlink()


def test_what_was_left_at_the_end_of_a_run_is_removed(store):
    """The journal of a run that was killed after it was published, and locks of the dead."""
    with Journal(store, name="run", **RUN) as journal:
        path = store.root / "active" / f"{journal.record.name}.json"
        before = path.read_bytes()
        publish_run(store, journal.finished(), {}, {}, {}, latest=True)
    path.write_bytes(before)
    (store.root / "locks" / "run-dead").touch()
    collect_garbage(store, 1, dry_run=False)

    assert not path.exists()
    assert [one.name for one in (store.root / "locks").iterdir()] == ["store"]
    assert [run.name for run in finished_runs(store)] == [journal.record.name]


@pytest.mark.slow
def test_a_thousand_runs_block_other_runs_for_less_than_a_second(store, monkeypatch):
    """Reading records and deleting folders needs no lock; nothing is compared all with all."""
    for number in range(1000):
        write_run(store, number, [*range(19), 100 + number])
    held = []
    real = marking

    class Timed:
        def __init__(self, *arguments, **options):
            self.lock = real(*arguments, **options)

        def __enter__(self):
            self.lock.__enter__()
            self.started = time.process_time()

        def __exit__(self, *error):
            held.append(time.process_time() - self.started)
            self.lock.__exit__(*error)

    monkeypatch.setattr("tasks.engine.gc.marking", Timed)
    started = time.process_time()
    freed = collect_garbage(store, 10, dry_run=False)

    assert len(freed) == 2 * 990
    assert held[0] < 1
    assert time.process_time() - started < 6  # it was 9 s, nearly all of it under the lock
