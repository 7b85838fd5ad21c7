"""The artifact store: whole or not there, healed when damaged, never trusted."""

import errno
import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tasks.engine.errors import (
    DamagedError,
    DiskFullError,
    FileLimitError,
    InputChangedError,
    NewerError,
    NotWritableError,
    PlaceError,
    StoreError,
)
from tasks.engine.files import friendly_os_errors, reference
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.engine.manifest import FORMAT
from tasks.engine.prefect_cache import ArtifactStorage, address
from tasks.engine.stage import stage_of
from tasks.engine.store import MANIFEST, Store
from tasks.engine.verify import verify_store


@stage
def copies(output: Output, source: ArtifactRef, times: int) -> None:
    """Write `one.bin`, and `many.bin`: the same, several times over."""
    content = source.path.read_bytes()
    (output.folder / "one.bin").write_bytes(content)
    (output.folder / "many.bin").write_bytes(times * content)


@stage
def fails(output: Output) -> None:
    """Write half a file, then fail."""
    (output.folder / "half.txt").write_text("half")
    raise ValueError("no")


@stage
def fills(output: Output, megabytes: int, checked: bool) -> None:
    """Write a large file, perhaps after asking whether it fits."""
    if checked:
        output.require_space(megabytes * 1_000_000)
    (output.folder / "large.bin").write_bytes(bytes(megabytes * 1_000_000))


COPIES, FAILS, FILLS = map(stage_of, (copies, fails, fills))


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


@pytest.fixture
def inputs(tmp_path):
    """The inputs of `copies`."""
    path = tmp_path / "source.bin"
    path.write_bytes(bytes(range(256)))
    return {"source": reference(path), "times": 3}


def find(store, inputs):
    return store.find("copies", COPIES.key_parts(inputs).key)


def verified(store):
    return verify_store(store, lambda done, total: None)


def damage_by_deleting(path):
    path.unlink()


def damage_by_truncating(path):
    path.chmod(0o644)
    os.truncate(path, 100)


def damage_by_linking(path):
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("damage", [damage_by_deleting, damage_by_truncating, damage_by_linking])
@pytest.mark.parametrize("name", ["many.bin", MANIFEST])
def test_a_damaged_artifact_is_a_miss_and_heals(store, inputs, damage, name):
    """To the same bytes."""
    artifact = COPIES.compute(store, inputs)
    damage(store.folder("copies", artifact.key) / name)
    if damage is not damage_by_linking or name != MANIFEST:
        with pytest.raises(DamagedError):
            find(store, inputs)

    assert COPIES.compute(store, inputs) == artifact
    assert verified(store) == []


def test_an_artifact_is_read_only_and_stands_alone(store, inputs):
    """Whoever opens it by mistake in an editor cannot change it; nothing temporary is left."""
    artifact = COPIES.compute(store, inputs)
    folder = store.folder("copies", artifact.key)

    assert {path.name for path in folder.iterdir()} == {"one.bin", "many.bin", MANIFEST}
    assert {ref.path.stat().st_mode & 0o777 for ref in artifact.files.values()} == {0o444}
    assert list((store.root / "tmp").iterdir()) == []
    assert artifact["many.bin"].path.read_bytes() == 3 * bytes(range(256))


def flip_a_bit(path):
    """Leave the size and the times as they were, so only reading the file shows it."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_flipped_bit_is_a_miss_and_heals(store, inputs):
    """A small file is read whenever it is looked up: a cached run publishes nothing damaged."""
    artifact = COPIES.compute(store, inputs)
    assert find(store, inputs) == artifact
    flip_a_bit(artifact["many.bin"].path)

    with pytest.raises(DamagedError, match=r"many\.bin: changed after it was published"):
        find(store, inputs)
    assert COPIES.compute(store, inputs) == artifact
    assert find(store, inputs) == artifact


def test_a_flipped_bit_is_seen_after_the_file_was_remembered(store, inputs, monkeypatch):
    """A file that was read once is read again when its inode says that it was changed."""
    monkeypatch.setattr("tasks.engine.files.SETTLED_SECONDS", 0)
    artifact = COPIES.compute(store, inputs)
    assert find(store, inputs) == artifact
    time.sleep(0.05)  # more than one tick of the file system's clock
    flip_a_bit(artifact["many.bin"].path)

    with pytest.raises(DamagedError, match=r"many\.bin"):
        find(store, inputs)


def test_files_swapped_between_artifacts_are_a_miss(store, inputs):
    """Of the same size; each is what a stage wrote, only not this one."""
    first = COPIES.compute(store, inputs)
    inputs["source"].path.write_bytes(bytes(reversed(range(256))))
    second = COPIES.compute(store, {**inputs, "source": reference(inputs["source"].path)})
    one, other = first["one.bin"].path, second["one.bin"].path
    one.rename(one.with_suffix(".away"))
    other.rename(one)
    one.with_suffix(".away").rename(other)

    for artifact in (first, second):
        with pytest.raises(DamagedError, match=r"one\.bin: changed"):
            store.find("copies", artifact.key)


def test_verify_names_a_flipped_bit_in_a_large_file(store, inputs, monkeypatch):
    """Those are not read when they are looked up, so only verifying finds it."""
    monkeypatch.setattr("tasks.engine.store.READ_UP_TO", 300)
    monkeypatch.setattr("tasks.engine.verify.READ_UP_TO", 300)
    artifact = COPIES.compute(store, inputs)
    flip_a_bit(artifact["many.bin"].path)

    assert find(store, inputs) == artifact
    [damage] = verified(store)
    assert (damage.stage, damage.key) == ("copies", artifact.key)
    assert "many.bin" in damage.problem
    with pytest.raises(DamagedError):
        find(store, inputs)
    assert COPIES.compute(store, inputs) == artifact


@pytest.mark.parametrize("owned", [True, False])
def test_a_damaged_input_is_not_computed_with(store, inputs, tmp_path, owned):
    """Its result would be published under the key of the undamaged one."""
    folder = store.folder("copies", "a" * 32) if owned else tmp_path
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / "input.bin"
    path.write_bytes(b"before")
    ref = reference(path)
    path.write_bytes(b"behind")

    expected = DamagedError if owned else InputChangedError
    with pytest.raises(expected, match=r"input\.bin: the content has changed"):
        COPIES.compute(store, {"source": ref, "times": 1})
    assert list(store.artifacts()) == []


@stage
def impatient(output: Output, source: ArtifactRef) -> None:
    """Read a file that somebody replaces meanwhile."""
    (output.folder / "read.bin").write_bytes(source.path.read_bytes())
    source.path.write_bytes(b"replaced")


def test_a_users_file_that_is_replaced_while_it_is_read_is_refused(store, inputs):
    """Which of the two contents the stage has read, nobody knows."""
    with pytest.raises(InputChangedError, match=r"source\.bin: the content has changed"):
        stage_of(impatient).compute(store, {"source": inputs["source"]})
    assert list(store.artifacts()) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["files"]["many.bin"].update(size=1),
        lambda m: m["files"].update({"../../evil": {"sha256": "0" * 64, "size": 1}}),
        lambda m: m["parts"]["settings"].update(times=4),
        lambda m: m["parts"].update(engine=None),
        lambda m: m["parts"].pop("engine"),
        lambda m: m.update(files=dict(reversed(m["files"].items()))),
        lambda m: m.update(extra=1),
        lambda m: m.update(digest="0" * 64),
    ],
)
def test_a_manifest_edited_by_hand_is_refused(store, inputs, change):
    """And what it describes is computed again."""
    artifact = COPIES.compute(store, inputs)
    path = store.folder("copies", artifact.key) / MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.chmod(0o644)
    path.write_text(json.dumps(manifest))

    with pytest.raises(DamagedError):
        find(store, inputs)
    assert COPIES.compute(store, inputs) == artifact


def test_a_manifest_of_another_artifact_is_refused(store, inputs):
    """A folder copied to another key would be a hit for what it is not."""
    artifact = COPIES.compute(store, inputs)
    other = artifact.key[::-1]
    store.folder("copies", artifact.key).rename(store.folder("copies", other))

    with pytest.raises(DamagedError, match="another artifact"):
        store.find("copies", other)


@pytest.mark.parametrize(("stage", "key"), [("..", "a" * 32), ("a/b", "a" * 32), ("a", "../x")])
def test_addresses_cannot_leave_the_store(store, stage, key):
    """Whatever a record says."""
    with pytest.raises(StoreError, match="not an artifact's address"):
        store.folder(stage, key)


def test_prefect_gets_records_that_name_no_code(store, inputs):
    """The record is made from the manifest each time; its serializer imports nothing."""
    artifact = COPIES.compute(store, inputs)
    record = json.loads(
        ArtifactStorage().read_path(address(str(store.root), "copies", artifact.key))
    )

    assert record["metadata"]["serializer"] == {
        "type": "json", "jsonlib": "json", "object_encoder": None, "object_decoder": None,
        "dumps_kwargs": {}, "loads_kwargs": {},
    }  # fmt: skip
    assert not list(store.root.rglob("*.pkl"))


def test_a_failing_stage_publishes_nothing(store):
    """What it wrote before it failed is gone."""
    with pytest.raises(ValueError, match="no"):
        FAILS.compute(store, {})
    assert not (store.root / "fails").exists()
    assert list((store.root / "tmp").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 20 MB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_without_space_is_refused_before_it_is_filled(small_disk):
    """The message names the folder, the space that is needed and what to do."""
    store = Store(small_disk / "artifacts")

    with pytest.raises(
        DiskFullError, match=rf"{small_disk}.*needs 31\.4 MB.*another folder, and run again"
    ):
        FILLS.compute(store, {"megabytes": 31.4, "checked": True})
    assert not (store.root / "fills").exists()


def test_a_disk_that_fills_up_meanwhile_leaves_the_store_intact(small_disk):
    """Another process took the space; nothing half-written is published, and room heals it."""
    store = Store(small_disk / "artifacts")
    first = FILLS.compute(store, {"megabytes": 1, "checked": False})

    with pytest.raises(DiskFullError, match=r"(?s)disk is full.*run again"):
        FILLS.compute(store, {"megabytes": 30, "checked": False})
    assert [key for _, key in store.artifacts()] == [first.key]
    assert verified(store) == []
    healed = FILLS.compute(store, {"megabytes": 2, "checked": False})
    assert healed["large.bin"].size == 2_000_000


def test_a_read_only_folder_is_named(small_disk, inputs):
    """Root may write to folders without permission, but not to a read-only disk."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(NotWritableError, match=rf"{small_disk}.*cannot be written to"):
        COPIES.compute(Store(small_disk / "artifacts"), inputs)


@pytest.mark.parametrize("uri", ["s3://bucket/key", "file://elsewhere/key"])
def test_a_store_of_another_kind_is_refused(store, uri):
    """Until there is code for it."""
    ref = ArtifactRef(uri=uri, sha256="0" * 64, size=1)

    with pytest.raises(StoreError, match=rf"{uri}: expected a file:// URI"):
        store.fetch(ref)


def test_a_file_is_exported_whole_or_not_at_all(store, inputs, tmp_path):
    """A copy outside the store is checked first; a damaged one is not handed out."""
    ref = COPIES.compute(store, inputs)["many.bin"]
    store.export(ref, tmp_path / "copy.bin")
    ref.path.chmod(0o644)
    ref.path.write_bytes(b"damaged")

    assert (tmp_path / "copy.bin").read_bytes() == 3 * bytes(range(256))
    with pytest.raises(DamagedError):
        store.export(ref, tmp_path / "second.bin")
    assert not (tmp_path / "second.bin").exists()


def a_dangling_link(path):
    path.symlink_to("/nowhere/at/all")


def a_link_loop(path):
    path.symlink_to(path)


def a_file(path):
    path.write_text("somebody's notes")


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # its name may have 108 bytes at most
        server.bind(path.name)
        os.chdir(here)


def a_folder(path):
    path.mkdir()
    (path / "notes.txt").write_text("somebody's notes")


NO_FOLDERS = [a_dangling_link, a_link_loop, a_file, a_pipe, a_socket]
ANYTHING = [*NO_FOLDERS, a_folder]


@pytest.mark.parametrize("thing", NO_FOLDERS)
@pytest.mark.parametrize("place", ["copies", "tmp", "checkpoints", "aside"])
def test_what_is_no_folder_is_moved_aside(store, inputs, thing, place):
    """It may be somebody's only copy; the stage runs as if it had not been there."""
    store.root.mkdir()
    thing(store.root / place)
    before = (store.root / place).lstat()
    artifact = COPIES.compute(store, inputs)
    if place == "aside":
        store.room("tmp").rmdir()
        a_file(store.root / "tmp")
        store.room("tmp")

    assert find(store, inputs) == artifact
    moved = (store.root / "aside" / f"{place}-1").lstat()
    assert (moved.st_ino, moved.st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("thing", ANYTHING)
def test_what_stands_in_an_artifacts_place_is_replaced(store, inputs, thing):
    """An artifact can be computed again, so it is not kept."""
    folder = store.folder("copies", COPIES.key_parts(inputs).key)
    folder.parent.mkdir(parents=True)
    thing(folder)

    with pytest.raises(DamagedError):
        find(store, inputs)
    assert COPIES.compute(store, inputs) == find(store, inputs)
    assert not (store.root / "aside").exists()


@pytest.mark.parametrize("thing", ANYTHING)
@pytest.mark.parametrize("name", ["many.bin", MANIFEST])
def test_what_stands_in_a_files_place_is_a_miss(store, inputs, thing, name):
    """And nobody waits for a pipe to speak."""
    artifact = COPIES.compute(store, inputs)
    path = store.folder("copies", artifact.key) / name
    path.unlink()
    thing(path)

    with pytest.raises(DamagedError):
        find(store, inputs)
    [damage] = verified(store)
    assert damage.key == artifact.key
    assert COPIES.compute(store, inputs) == artifact


@pytest.mark.parametrize("thing", NO_FOLDERS)
def test_what_stands_in_a_checkpoints_place_is_moved_aside(store, thing):
    """A stage could neither read nor replace it."""
    scratch = store.room("checkpoints") / f"copies-{'a' * 32}"
    thing(scratch)
    with store.writing("copies", "a" * 32) as output:
        assert not os.path.lexists(output.scratch)

    assert os.path.lexists(store.root / "aside" / f"{scratch.name}-1")


@pytest.mark.parametrize("thing", [thing for thing in ANYTHING if thing is not a_file])
def test_what_stands_in_a_checkpoint_is_moved_aside(store, thing):
    """What the stage left there itself, plain files, stays."""
    scratch = store.room("checkpoints") / f"copies-{'a' * 32}"
    scratch.mkdir()
    (scratch / "kept.npz").write_text("kept")
    thing(scratch / "epoch.npz")
    with store.writing("copies", "a" * 32) as output:
        assert [path.name for path in output.scratch.iterdir()] == ["kept.npz"]

    assert os.path.lexists(store.root / "aside" / "epoch.npz-1")


def test_two_things_of_one_name_are_both_kept(store):
    """Nothing aside is ever replaced."""
    for _ in "ab":
        store.root.mkdir(exist_ok=True)
        a_file(store.root / "tmp")
        store.room("tmp").rmdir()

    assert sorted(path.name for path in (store.root / "aside").iterdir()) == ["tmp-1", "tmp-2"]


@pytest.mark.parametrize("linked", ["copies", ""])
def test_a_link_to_a_folder_is_a_folder(store, inputs, tmp_path, linked):
    """Somebody moved a stage, or the whole store, to another disk; here a file system in memory."""
    disk = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        place = store.root / linked
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(disk)
        artifact = COPIES.compute(store, inputs)
        flip_a_bit(artifact["one.bin"].path)

        assert COPIES.compute(store, inputs) == find(store, inputs) == artifact
        assert list(disk.rglob("one.bin"))
        assert [path.name for path in disk.rglob(".*")] == ([] if linked else [".artifact-store"])
        store.discard(store.folder("copies", artifact.key))
        assert list(store.artifacts()) == []
        assert place.is_symlink()
    finally:
        shutil.rmtree(disk)


@pytest.mark.parametrize("thing", NO_FOLDERS)
@pytest.mark.parametrize("below", ["", "deep/below"])
def test_a_root_that_can_be_no_folder_is_refused(tmp_path, thing, below):
    """It is the user's choice, so nothing is moved."""
    thing(tmp_path / "artifacts")

    with pytest.raises(PlaceError, match=rf"{tmp_path}/artifacts: expected a folder, found a "):
        Store(tmp_path / "artifacts" / below)


def test_a_folder_without_permission_is_replaced(inputs):
    """As a user who is not root; the artifact is in a folder that may not be opened."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    source = folder / "source.bin"
    source.write_bytes(b"content")
    source.chmod(0o644)
    inputs = {"source": reference(source), "times": 2}
    COPIES.key_parts(inputs)  # reads source code that another user may not read
    os.seteuid(65534)
    try:
        store = Store(folder / "artifacts")
        artifact = COPIES.compute(store, inputs)
        store.folder("copies", artifact.key).chmod(0)
        with pytest.raises(DamagedError):
            find(store, inputs)
        assert COPIES.compute(store, inputs) == artifact
        (folder / "artifacts" / "copies").chmod(0)
        with pytest.raises(NotWritableError, match=rf"{folder}.*Permission denied"):
            COPIES.compute(store, inputs)
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


def test_a_file_over_the_users_limit_is_named(store, inputs):
    """`ulimit -f`: the system refuses to make a file larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(FileLimitError, match=r"exceeds.*ulimit -f"):
            FILLS.compute(store, {"megabytes": 2, "checked": False})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(store.artifacts()) == []


@pytest.mark.parametrize("number", [errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENAMETOOLONG])
def test_what_the_system_says_of_a_place_is_said_in_one_line(tmp_path, number):
    """Of the store's own places; an error about another file is not the store's."""
    with pytest.raises(PlaceError, match=rf"{tmp_path}/x: (something else is there|the name)"):
        raise_below(tmp_path, number, tmp_path / "x")
    with pytest.raises(OSError, match="elsewhere"):
        raise_below(tmp_path, number, "/elsewhere")


def raise_below(root, number, path):
    with friendly_os_errors(root):
        raise OSError(number, os.strerror(number), str(path))


def newer_manifest(folder):
    """Rewrite a manifest as an engine of a later format may."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["parts"]["engine"] = FORMAT + 1
    manifest["novelty"] = {"a": 1}
    path.unlink()
    path.write_text(json.dumps(manifest))


def test_what_a_newer_version_wrote_is_named_and_left_alone(store, inputs):
    """It is of no use here, but it is not damaged."""
    artifact = COPIES.compute(store, inputs)
    folder = store.folder("copies", artifact.key)
    newer_manifest(folder)
    warnings = []

    assert verify_store(store, lambda done, total: None, warnings.append) == []
    assert len(warnings) == 1
    assert f"{folder / MANIFEST}: written by a newer version" in warnings[0]
    with pytest.raises(NewerError):
        find(store, inputs)
    assert COPIES.compute(store, inputs) == artifact


def test_a_folder_of_the_user_counts_by_names_and_contents(tmp_path):
    """A moved folder is the same input; a renamed, added or changed file makes it another."""
    for name, content in (("a/1", b"one"), ("b/2", b"two")):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_bytes(content)
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data")  # no reason to walk for ever
    before = reference(tmp_path / "data")
    (tmp_path / "data" / "again").unlink()
    moved = (tmp_path / "data").rename(tmp_path / "moved")
    digests = [before.sha256, reference(moved).sha256]
    (moved / "a" / "1").rename(moved / "a" / "2")
    digests.append(reference(moved).sha256)
    (moved / "a" / "2").write_bytes(b"One")
    digests.append(reference(moved).sha256)

    assert before.size == 6
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
