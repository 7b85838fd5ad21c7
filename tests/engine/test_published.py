"""The folders of finished runs: published at once or not at all, and only what is whole."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from tasks.engine.errors import DamagedError, StoreError
from tasks.engine.files import reference
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.engine.journal import Journal, finished_runs, unfinished_runs
from tasks.engine.published import all_runs, find_run, publish_run, read_published
from tasks.engine.saving import save_run
from tasks.engine.stage import stage_of
from tasks.engine.store import Store

RUN = {"flow": "toy", "settings": {"amount": 1}, "data": {}}


@stage
def copied(output: Output, source: ArtifactRef) -> None:
    """Write `copy.bin`."""
    (output.folder / "copy.bin").write_bytes(source.path.read_bytes())


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


@pytest.fixture
def ref(store, tmp_path):
    """A file that a stage has published."""
    (tmp_path / "source.bin").write_bytes(bytes(range(256)))
    inputs = {"source": reference(tmp_path / "source.bin")}
    return stage_of(copied).compute(store, inputs)["copy.bin"]


def publish(store, ref, name="run", **options):
    """Publish a run with one file and a text; return its record."""
    with Journal(store, name=name, **RUN) as journal:
        files, texts = {"models/one.bin": ref}, {"summary.md": "fine"}
        options = {"latest": True, **options}
        return publish_run(store, journal.finished(), {}, files, texts, **options).record


def a_real_folder(path):
    path.mkdir()
    (path / "run.json").write_text("{}")


@pytest.mark.parametrize(
    "make",
    [a_real_folder, os.mkfifo, lambda path: path.write_text("mine"),
     lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path.name)],
    ids=["a folder", "a pipe", "a file", "a dangling link", "a link loop"],
)  # fmt: skip
def test_whatever_latest_is_does_not_fail_a_run(store, ref, make):
    """As after `cp -rL`; what is no link is moved aside, since it may be somebody's copy."""
    path = store.root / "latest"
    make(path)
    was_link = path.is_symlink()
    record = publish(store, ref)

    assert path.resolve().name == record.name
    assert find_run(store, "latest") == record
    assert (path / "models" / "one.bin").read_bytes() == bytes(range(256))
    assert os.path.lexists(store.root / "aside" / "latest-1") != was_link


def test_a_copied_store_without_links_is_used(store, ref, tmp_path):
    """`cp -rL` makes files and folders of all links; `latest` then is a copy of a run."""
    first = publish(store, ref)
    shutil.copytree(store.root, tmp_path / "copy")
    copy = Store(tmp_path / "copy")

    assert find_run(copy, "latest") == first
    second = publish(copy, ref, "second")
    assert [run.name for run in all_runs(copy)] == [first.name, second.name]
    assert find_run(copy, "latest") == second


def test_what_stands_in_a_runs_place_is_moved_aside(store, ref):
    """It came there while the run was under way."""
    with Journal(store, name="run", **RUN) as journal:
        a_real_folder(store.room("runs") / journal.record.name)
        publish_run(store, journal.finished(), {}, {"one.bin": ref}, {}, latest=True)

    assert [run.name for run in all_runs(store)] == [journal.record.name]
    assert (store.root / "aside" / f"{journal.record.name}-1" / "run.json").read_text() == "{}"


def test_runs_on_another_disk_links_to_what_it_shows(store, ref, tmp_path):
    """A link to a folder is as good as a folder."""
    (tmp_path / "deep" / "disk").mkdir(parents=True)
    (store.root / "runs").symlink_to(tmp_path / "deep" / "disk")
    publish(store, ref)

    assert (store.root / "latest" / "models" / "one.bin").read_bytes() == bytes(range(256))


def test_a_damaged_file_is_not_published(store, ref):
    """A run in which everything is cached would state a sha256 that the file does not have."""
    ref.path.chmod(0o644)
    ref.path.write_bytes(bytes(256))

    with pytest.raises(DamagedError, match=r"copy\.bin: the content has changed"):
        publish(store, ref)
    assert finished_runs(store) == []
    assert list(store.artifacts()) == []  # so that the next run computes it
    assert not os.path.lexists(store.root / "latest")


def test_a_run_killed_after_it_was_published_is_finished_once(store, ref):
    """The journal was not removed any more."""
    with Journal(store, name="run", **RUN) as journal:
        journal_file = store.root / "active" / f"{journal.record.name}.json"
        before = journal_file.read_bytes()
        publish_run(store, journal.finished(), {}, {"one.bin": ref}, {}, latest=True)
    journal_file.write_bytes(before)

    assert [run.state for run in all_runs(store)] == ["finished"]
    assert unfinished_runs(store) == []


@pytest.mark.parametrize("moment", ["latest", "after"])
def test_what_fails_after_publishing_makes_no_failed_run(store, ref, monkeypatch, moment):
    """A run is never both finished and failed."""
    real = os.replace

    def refuse(path, target):
        if Path(target).name == "latest":
            raise OSError(errno.EIO, "no", str(target))
        real(path, target)

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    if moment == "latest":
        publish(store, ref)
    else:
        with pytest.raises(ValueError, match="later"), Journal(store, name="run", **RUN) as journal:
            publish_run(store, journal.finished(), {}, {"one.bin": ref}, {}, latest=False)
            raise ValueError("later")

    assert [run.state for run in all_runs(store)] == ["finished"]
    assert list((store.root / "active").iterdir()) == []
    assert list((store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("place", ["runs", "tmp"])
def test_what_fails_before_publishing_publishes_nothing(store, ref, monkeypatch, place):
    """The run has failed, and only that."""

    def refuse(path, target):
        raise OSError(errno.EIO, "no", str(store.root / place))

    with Journal(store, name="run", **RUN) as journal:
        monkeypatch.setattr("tasks.engine.published.rename", refuse)
        with pytest.raises(StoreError, match="no"):
            publish_run(store, journal.finished(), {}, {"one.bin": ref}, {}, latest=True)
        assert [run.state for run in all_runs(store)] == ["running"]
    assert not os.path.lexists(store.root / "latest")


@pytest.mark.parametrize("name", ["manifest.json", "models/one.bin"])
@pytest.mark.parametrize(
    "damage",
    [lambda path: path.unlink(), lambda path: (path.unlink(), os.mkfifo(path)),
     lambda path: (path.unlink(), path.mkdir()), lambda path: (path.unlink(), path.write_text("1")),
     lambda path: (path.unlink(), path.symlink_to(path.name))],
    ids=["missing", "a pipe", "a folder", "another content", "a link loop"],
)  # fmt: skip
def test_a_damaged_file_of_a_run_is_named(store, ref, name, damage):
    """When it is read, and when it would be saved."""
    record = publish(store, ref)
    damage(store.root / "runs" / record.name / name)

    with pytest.raises(DamagedError, match=Path(name).name):
        read_published(store, record, "models/one.bin")
    with pytest.raises(StoreError, match=Path(name).name):
        save_run(store, record, store.root.parent / "saved")
    assert not (store.root.parent / "saved").exists()


def test_a_run_is_saved_as_plain_files(store, ref, tmp_path):
    """They can be opened when the store is gone."""
    record = publish(store, ref)
    (tmp_path / "empty").mkdir()
    for name in ("new/saved", "empty"):
        saved = save_run(store, record, tmp_path / name)
        assert {str(path.relative_to(saved)) for path in saved.rglob("*") if path.is_file()} == {
            "manifest.json", "models/one.bin", "run.json", "settings.json", "summary.md",
        }  # fmt: skip
        assert not any(path.is_symlink() for path in saved.rglob("*"))
        assert (saved / "models" / "one.bin").read_bytes() == bytes(range(256))
    assert {path.name for path in tmp_path.iterdir()} == {"artifacts", "empty", "new", "source.bin"}


@pytest.mark.parametrize("target", ["full", "file", "dangling", "artifacts/inside", "file/below"])
def test_a_run_is_not_saved_over_something(store, ref, tmp_path, target):
    """Nor into the store."""
    record = publish(store, ref)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")

    with pytest.raises(StoreError, match=str(tmp_path)):
        save_run(store, record, tmp_path / target)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    assert not (store.root / "inside").exists()


def test_a_manifest_cannot_save_outside_of_the_folder(store, ref, tmp_path):
    """Whoever edited it."""
    record = publish(store, ref)
    path = store.root / "runs" / record.name / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["../evil.bin"] = manifest["files"]["models/one.bin"]
    path.write_text(json.dumps(manifest))

    with pytest.raises(DamagedError, match="outside of it"):
        save_run(store, record, tmp_path / "saved")
    assert not (tmp_path / "evil.bin").exists()
