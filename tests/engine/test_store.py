"""The artifact store: whole or not there, healed when damaged, never trusted."""

import json
import os
import subprocess

import pytest

from tasks.engine.errors import DamagedError, DiskFullError, NotWritableError, StoreError
from tasks.engine.files import reference
from tasks.engine.handles import ArtifactRef, Output, stage
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


def test_verify_names_a_flipped_bit_and_the_next_run_heals_it(store, inputs):
    """The size is right, so only reading the file shows it."""
    artifact = COPIES.compute(store, inputs)
    path = artifact["many.bin"].path
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)

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
    folder = store.root if owned else tmp_path
    folder.mkdir(exist_ok=True)
    path = folder / "input.bin"
    path.write_bytes(b"before")
    ref = reference(path)
    path.write_bytes(b"behind")

    with pytest.raises(DamagedError, match=r"input\.bin: the content has changed"):
        COPIES.compute(store, {"source": ref, "times": 1})
    assert not (store.root / "copies").exists()


@stage
def impatient(output: Output, source: ArtifactRef) -> None:
    """Read a file that somebody replaces meanwhile."""
    (output.folder / "read.bin").write_bytes(source.path.read_bytes())
    source.path.write_bytes(b"replaced")


def test_a_users_file_that_is_replaced_while_it_is_read_is_refused(store, inputs):
    """Which of the two contents the stage has read, nobody knows."""
    with pytest.raises(DamagedError, match=r"source\.bin: the content has changed"):
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
