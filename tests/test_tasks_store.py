"""The artifact store: whole or not there, healed when damaged, never trusted."""

import json
import multiprocessing
import os
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from autoencoders.settings import ImageSettings, NoiseSettings
from tasks.add_noise import add_noise
from tasks.cache import ArtifactStorage, KernelLocks, address
from tasks.checkpoint import load_checkpoint, save_checkpoint
from tasks.ingest import find_files, ingest
from tasks.keras_files import load_network, save_network
from tasks.stage import Stage
from tasks.store import MANIFEST, ArtifactRef, Output, Store, StoreError
from tasks.upkeep import verify_store

IMAGE = ImageSettings(height=8, width=8)


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


@pytest.fixture
def inputs(tmp_path, write_dataset):
    """The inputs of `ingest`."""
    return {"files": find_files(write_dataset(tmp_path / "data")), "image": IMAGE}


def find(store, stage, inputs):
    return store.find(stage.name, stage.parts(inputs).key)


def damage_by_deleting(path):
    path.unlink()


def damage_by_truncating(path):
    path.chmod(0o644)
    os.truncate(path, 100)


def damage_by_linking(path):
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("damage", [damage_by_deleting, damage_by_truncating, damage_by_linking])
@pytest.mark.parametrize("name", ["train.parquet", MANIFEST])
def test_a_damaged_artifact_is_a_miss_and_heals(store, inputs, damage, name):
    """To the same bytes."""
    artifact = ingest.compute(store, inputs)
    path = store.folder("ingest", artifact.key) / name
    damage(path)
    if damage is not damage_by_linking or name != MANIFEST:
        with pytest.raises(StoreError):
            find(store, ingest, inputs)

    assert ingest.compute(store, inputs) == artifact
    assert verify_store(store, lambda done, total: None) == []


def test_verify_names_a_flipped_bit_and_the_next_run_heals_it(store, inputs):
    """The size is right, so only reading tells."""
    artifact = ingest.compute(store, inputs)
    path = artifact["test.parquet"].path
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)

    assert find(store, ingest, inputs) == artifact
    [damage] = verify_store(store, lambda done, total: None)
    assert "test.parquet" in damage.problem
    with pytest.raises(StoreError):
        find(store, ingest, inputs)
    assert ingest.compute(store, inputs) == artifact


def test_a_damaged_input_is_not_computed_with(store, inputs, tmp_path):
    """Its result would be published under the key of the undamaged one."""
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((3, 4, 4, 1), np.float32))
    ref = ArtifactRef.of(images)
    np.save(images, np.ones((3, 4, 4, 1), np.float32))

    with pytest.raises(StoreError, match=r"images\.npy: the content has changed"):
        add_noise.compute(
            store, {"images": ref, "split": "train", "seed": 0, "noise": NoiseSettings()}
        )
    assert not (store.root / "add_noise").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["files"]["train.parquet"].update(size=1),
        lambda m: m["files"].update({"../../evil": {"sha256": "0" * 64, "size": 1}}),
        lambda m: m["parts"]["settings"].update(image={"height": 4}),
        lambda m: m.update(extra=1),
        lambda m: m.update(digest="0" * 64),
    ],
)
def test_a_manifest_edited_by_hand_is_refused(store, inputs, change):
    """And what it describes is computed again."""
    artifact = ingest.compute(store, inputs)
    path = store.folder("ingest", artifact.key) / MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.chmod(0o644)
    path.write_text(json.dumps(manifest))

    with pytest.raises(StoreError):
        find(store, ingest, inputs)
    assert ingest.compute(store, inputs) == artifact


def test_a_manifest_of_another_artifact_is_refused(store, inputs):
    """A folder copied to another key would be a hit for what it is not."""
    artifact = ingest.compute(store, inputs)
    other = artifact.key[::-1]
    store.folder("ingest", artifact.key).rename(store.folder("ingest", other))

    with pytest.raises(StoreError, match="another artifact"):
        store.find("ingest", other)


@pytest.mark.parametrize(("stage", "key"), [("..", "a" * 32), ("a/b", "a" * 32), ("a", "../x")])
def test_addresses_cannot_leave_the_store(store, stage, key):
    """Whatever a record says."""
    with pytest.raises(StoreError, match="not an artifact's address"):
        store.folder(stage, key)


def test_prefect_gets_records_that_name_no_code(store, inputs):
    """The record is made from the manifest each time; its serializer imports nothing."""
    artifact = ingest.compute(store, inputs)
    record = json.loads(
        ArtifactStorage().read_path(address(str(store.root), "ingest", artifact.key))
    )

    assert record["metadata"]["serializer"] == {
        "type": "json", "jsonlib": "json", "object_encoder": None, "object_decoder": None,
        "dumps_kwargs": {}, "loads_kwargs": {},
    }  # fmt: skip
    assert not list(store.root.rglob("*.pkl"))


def test_a_network_file_that_asks_for_code_is_refused(tmp_path):
    """Keras can store functions as byte code; safe mode does not run them."""
    import keras

    network = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x + 1)])
    path = tmp_path / "evil.keras"
    network.save(path)

    with pytest.raises(PipelineError, match="not a network that Keras can load safely"):
        load_network(path)


def test_a_network_file_has_the_same_bytes_every_time(tmp_path):
    """Keras writes the time of day and addresses in memory into it."""
    from autoencoders.network import build_network

    networks = [build_network((8, 8, 1), seed=0) for _ in "ab"]  # both alive: other addresses
    for name, network in zip("ab", networks, strict=True):
        save_network(network, tmp_path / f"{name}.keras")
        time.sleep(2.1)  # a ZIP archive tells times in steps of two seconds

    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert zipfile.ZipFile(tmp_path / "a.keras").testzip() is None


def test_a_changed_checkpoint_is_not_gone_on_from(tmp_path):
    """Training would end in other bytes; it starts over instead."""
    path = tmp_path / "epoch.npz"
    save_checkpoint(path, {"a": np.arange(4)})
    assert np.array_equal(load_checkpoint(path)["a"], np.arange(4))
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)

    assert load_checkpoint(path) is None


def test_a_failing_stage_publishes_nothing(store):
    """What it wrote before it failed is gone."""

    def fails(output: Output, value: int) -> None:
        (output.folder / "half.txt").write_text("half")
        raise PipelineError("no")

    fails.__module__ = "tasks.npy"
    with pytest.raises(PipelineError):
        Stage(fails).compute(store, {"value": 1})
    assert not (store.root / "fails").exists()
    assert list((store.root / "tmp").iterdir()) == []


def hold(key, ready):
    KernelLocks().acquire_lock(key, "holder")
    ready.set()
    time.sleep(60)


def test_the_lock_of_a_killed_process_is_free_at_once(store):
    """Prefect's own file lock would keep every later run waiting for ever."""
    key = address(str(store.root), "ingest", "a" * 32)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(key, ready))
    process.start()
    assert ready.wait(60)
    locks = KernelLocks()
    assert locks.is_locked(key)
    assert not locks.acquire_lock(key, "me", acquire_timeout=0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    assert locks.acquire_lock(key, "me", acquire_timeout=5)
    assert locks.is_lock_holder(key, "me")
    assert not locks.is_lock_holder(key, "you")
    with pytest.raises(ValueError, match="does not hold"):
        locks.release_lock(key, "you")
    locks.release_lock(key, "me")
    assert not locks.is_locked(key)
    assert list((store.root / "locks").iterdir()) == []


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


def test_a_disk_without_space_is_refused_before_it_is_filled(small_disk, tmp_path):
    """The message names the folder and the space that is needed."""
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((10_000, 28, 28, 1), np.float32))
    inputs = {"images": ArtifactRef.of(images), "split": "a", "seed": 0, "noise": NoiseSettings()}
    store = Store(small_disk / "artifacts")

    with pytest.raises(StoreError, match=rf"{small_disk}.*needs 31\.4 MB.*--artifacts"):
        add_noise.compute(store, inputs)
    assert not (store.root / "add_noise").exists()


def test_a_disk_that_fills_up_meanwhile_leaves_the_store_intact(small_disk):
    """Another process took the space; nothing half-written is published, and room heals it."""

    def fills(output: Output, megabytes: int) -> None:
        (output.folder / "large.bin").write_bytes(bytes(megabytes * 1_000_000))

    fills.__module__ = "tasks.npy"
    stage, store = Stage(fills), Store(small_disk / "artifacts")
    first = stage.compute(store, {"megabytes": 1})

    with pytest.raises(StoreError, match=r"(?s)disk is full.*run again"):
        stage.compute(store, {"megabytes": 30})
    assert [key for _, key in store.artifacts()] == [first.key]
    assert verify_store(store, lambda done, total: None) == []
    assert stage.compute(store, {"megabytes": 2})["large.bin"].size == 2_000_000


def test_a_read_only_folder_is_named(small_disk):
    """Root may write to folders without permission, but not to a read-only disk."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = Store(small_disk / "artifacts")

    with pytest.raises(StoreError, match=rf"{small_disk}.*cannot be written to.*--artifacts"):
        ingest.compute(store, {"files": {}, "image": IMAGE})


def test_a_store_of_another_kind_is_refused():
    """Until there is code for it."""
    ref = ArtifactRef(uri="s3://bucket/key", sha256="0" * 64, size=1)

    with pytest.raises(StoreError, match="s3://bucket/key"):
        assert isinstance(ref.path, Path)
