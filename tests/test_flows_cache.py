"""The cache against a sceptic: what is changed, what is damaged, and what runs because of it.

`plan` is asked before every run, and must have said what the run then does.
"""

import contextlib
import ctypes
import gzip
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoencoders.settings import Settings, TrainingSettings
from flows.full import pipeline
from tasks.ingest import find_files
from tasks.locks import lock_file
from tasks.runs import finished_runs
from tasks.stage import Stage
from tasks.store import MANIFEST, Artifact, Store, StoreError
from tasks.upkeep import verify_store
from tests.conftest import Project, _write_dataset
from tests.test_flows_full import SMALL, STEPS, contents

OPTIONS = (*SMALL[:4], "--training.epochs", 1)
MS_REMOUNT = 32
NETWORKS = {"train autoencoder", "train denoiser"}


@pytest.fixture(scope="module")
def base(tmp_path_factory, server_environment):
    """A project with one finished run. Its function `psnr` has a default argument."""
    folder = tmp_path_factory.mktemp("base")
    storage = {"PREFECT_LOCAL_STORAGE_PATH": str(folder / "storage")}
    project = Project.made(folder, {**server_environment, **storage})
    path = "autoencoders/evaluation.py"
    project.edit(path, "NDArray[np.float64]) ->", "NDArray[np.float64], scale: float = -10) ->")
    project.edit(path, "return -10 * np.log10", "return scale * np.log10")
    project.full(*OPTIONS)
    return project


@pytest.fixture
def project(base, tmp_path):
    """A copy of it elsewhere, so that whatever a test does to it is gone afterwards."""
    return base.copied(tmp_path / "project")


def run_as_planned(project: Project, *options: object) -> set[str]:
    """Ask `plan`, run, see that it was right; return the steps that were computed."""
    plan = project.planned(*options)
    project.full(*options)
    ran = {step.step: step.state for step in last_run(project).steps}
    assert list(plan) == list(ran) == STEPS
    possible = {
        "cached": {"Cached"},
        "compute": {"Completed"},
        "depends": {"Cached", "Completed"},
    }
    for step, row in plan.items():
        assert ran[step] in possible[row["state"]], (step, row)
    return {step for step, state in ran.items() if state == "Completed"}


def last_run(project: Project):
    return finished_runs(Store(project.folder / "artifacts"))[-1]


def editing(path: str, old: str, new: str) -> Callable[[Project], None]:
    """Return what makes this edit in a project."""
    return lambda project: project.edit(path, old, new) and None


def reformat(project: Project) -> None:
    """Lay a module out in another way."""
    project.edit("autoencoders/noise.py", "rng.standard_normal(images.shape, dtype=np.float32)",
                 "rng.standard_normal(\n  (images.shape),\n  dtype=np.float32 ,)")  # fmt: skip


def add_module(project: Project) -> None:
    """Write a module that nobody imports, and edit one that no stage reaches."""
    (project.folder / "autoencoders" / "unused.py").write_text("VALUE = 1\n")
    project.edit("tasks/upkeep.py", "def verify_store", "UNUSED = 1\n\n\ndef verify_store")


def reorder_rows(project: Project) -> None:
    """Exchange the first two train images, and their labels."""
    for name in ("train_data.csv.gz", "train_lables.csv"):
        path = project.folder / "data" / name
        read = gzip.decompress if name.endswith("gz") else bytes
        first, second, *rest = read(path.read_bytes()).splitlines(keepends=True)
        write = gzip.compress if name.endswith("gz") else bytes
        path.write_bytes(write(b"".join([second, first, *rest])))


def compress(project: Project) -> None:
    """Store the same numbers in another file."""
    path = project.folder / "data" / "test_data.csv"
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def update_matplotlib(project: Project) -> None:
    """Have the installed matplotlib call itself version 99."""
    site = project.folder / "site"
    (site / "matplotlib-99.dist-info").mkdir(parents=True)
    text = "Metadata-Version: 2.1\nName: matplotlib\nVersion: 99\n"
    (site / "matplotlib-99.dist-info" / "METADATA").write_text(text)
    project.environment = {**project.environment, "PYTHONPATH": str(site)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "options", "computed", "cause"),
    [
        pytest.param(editing("autoencoders/figures.py", "CELL = 0.85", "CELL = 0.5"), (),
                     {"render"}, ("code", "autoencoders.figures:CELL"), id="helper constant"),
        pytest.param(editing("autoencoders/network.py", "32, \"relu\"", "16, \"relu\""), (),
                     {*NETWORKS, "evaluate", "render"},
                     ("code", "autoencoders.network:build_network"), id="network"),
        pytest.param(editing("autoencoders/noise.py", "noisy += images", "noisy += images * 1"),
                     (), {"add noise train", "add noise test"},
                     ("code", "autoencoders.noise:add_gaussian_noise"), id="function body"),
        pytest.param(editing("autoencoders/evaluation.py", "float = -10)", "float = -20)"), (),
                     {"evaluate"}, ("code", "autoencoders.evaluation:psnr"),
                     id="default argument"),
        pytest.param(editing("autoencoders/noise.py", '"""Add white', '"""Add some white'), (),
                     set(), None, id="docstring"),
        pytest.param(editing("autoencoders/noise.py", "    noisy += images",
                             "    # both\n    noisy += images  # here"), (),
                     set(), None, id="comment"),
        pytest.param(reformat, (), set(), None, id="reformatting"),
        pytest.param(add_module, (), set(), None, id="unused module"),
        pytest.param(lambda project: None, ("--noise.factor", 0.25),
                     {"add noise train", "add noise test", "train denoiser", "evaluate", "render"},
                     ("setting", "noise.factor"), id="settings field"),
        pytest.param(reorder_rows, (), {*STEPS} - {"prepare test", "add noise test"},
                     ("input", "files.train_data"), id="input reordered"),
        pytest.param(compress, (), {"ingest"}, ("input", "files.test_data"),
                     id="same numbers, other file"),
        pytest.param(update_matplotlib, (), {"render"}, ("library", "matplotlib"),
                     id="library version"),
    ],
)  # fmt: skip
def test_a_change_recomputes_exactly_what_it_decides(project, change, options, computed, cause):
    """As `plan` said, and `explain` names the change itself as the cause."""
    change(project)

    assert run_as_planned(project, *OPTIONS, *options) == computed
    if cause is not None:
        first = next(step for step in STEPS if step in computed)
        [explained] = project.explained(first)
        assert [(one["kind"], one["name"]) for one in explained["differences"]][:1] == [cause]
        assert len(explained["differences"]) == (2 if change is reorder_rows else 1)


def artifact_folder(project: Project, step: str) -> Path:
    """Return where the last run's artifact of a step stands."""
    [found] = [one for one in last_run(project).steps if one.step == step]
    return Store(project.folder / "artifacts").folder(found.stage, found.key)


def delete(folder: Path) -> None:
    next(path for path in sorted(folder.iterdir()) if path.name != MANIFEST).unlink()


def truncate(folder: Path) -> None:
    path = next(path for path in sorted(folder.iterdir()) if path.name != MANIFEST)
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(folder: Path) -> None:
    path = next(path for path in sorted(folder.iterdir()) if path.name != MANIFEST)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def edit_manifest(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["parts"]["inputs"] = dict.fromkeys(manifest["parts"]["inputs"], "0" * 64)
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def delete_record(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def corrupt_record(folder: Path) -> None:
    (folder / MANIFEST).chmod(0o644)
    (folder / MANIFEST).write_bytes(b"\x80\x04\x95" + os.urandom(100))  # as a pickle begins


@pytest.mark.slow
@pytest.mark.parametrize("step", ["ingest", "train denoiser"])
@pytest.mark.parametrize(
    "damage", [delete, truncate, flip_a_bit, edit_manifest, delete_record, corrupt_record]
)
def test_damage_is_healed_to_the_same_bytes(project, damage, step):
    """As `plan` said, and nothing but the damaged artifact is computed again.

    The manifest is both the record of the key and that of the result: Prefect keeps none besides.
    """
    expected = contents(project.folder / "artifacts" / "latest")
    damage(artifact_folder(project, step))
    if damage is flip_a_bit:  # of the right size, so only reading it finds it
        assert "1 damaged" in project.run("cli.py", "verify", code=1)

    assert run_as_planned(project, *OPTIONS) == {step}
    assert contents(project.folder / "artifacts" / "latest") == expected
    assert "all intact" in project.run("cli.py", "verify")
    assert not (project.folder / "storage").exists()


def test_lock_files_left_behind_stop_nobody(project):
    """A lock is the kernel's; the file alone means nothing, and is cleared away."""
    store = Store(project.folder / "artifacts")
    for step in last_run(project).steps:
        path = lock_file(store, step.stage, step.key)
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"holder": "somebody who is dead"}')
    artifact_folder(project, "render").rename(project.folder / "away")

    assert run_as_planned(project, *OPTIONS) == {"render"}
    assert [path.name for path in (store.root / "locks").iterdir()] == ["store"]


def test_a_store_moved_to_another_place_is_all_cached(project):
    """No path is part of any key; what links there are, are relative."""
    before = contents(project.folder / "artifacts" / "latest")
    moved = project.folder / "elsewhere" / "results"
    moved.parent.mkdir()
    (project.folder / "artifacts").rename(moved)
    plan = project.planned(*OPTIONS, "--artifacts", moved)
    project.full(*OPTIONS, "--artifacts", moved)

    assert {row["state"] for row in plan.values()} == {"cached"}
    assert {step.state for step in finished_runs(Store(moved))[-1].steps} == {"Cached"}
    assert contents(moved / "latest") == before


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk in memory, where this user may."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, size: int) -> None:
    """Give the mounted disk another size: the system call itself, a command takes too long.

    Raises:
        OSError: If more than that is on it.
    """
    call = ctypes.CDLL(None, use_errno=True).mount
    if call(b"tmpfs", bytes(folder), b"tmpfs", MS_REMOUNT, f"size={size}".encode()):
        raise OSError(ctypes.get_errno(), f"{folder}: cannot be resized to {size}")


def used(folder: Path) -> int:
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


class Squeezing:
    """Computes each step of a pipeline twice: first on a disk that fills up when it has begun."""

    def __init__(self, store: Store, disk: Path, size: int) -> None:
        self.store, self.disk, self.size = store, disk, size
        self.refused: dict[str, str] = {}

    def __call__(self, label: str, stage: Stage, /, *args, **kwargs) -> Artifact:
        inputs = stage.named(*args, **kwargs)
        key = stage.parts(inputs).key
        before = set(self.store.artifacts())
        filling = threading.Thread(target=self._fill, args=(f"{stage.name}-{key}",))
        filling.start()
        with pytest.raises(StoreError) as caught:
            stage.compute(self.store, inputs)
        filling.join()
        self.refused[label] = str(caught.value)
        assert set(self.store.artifacts()) == before
        assert verify_store(self.store, lambda done, total: None) == []
        resize(self.disk, self.size)
        return stage.compute(self.store, inputs)

    def _fill(self, prefix: str) -> None:
        """Take all space but a little, as soon as the stage has a folder to write into."""
        while not list((self.store.root / "tmp").glob(f"{prefix}-*")):
            time.sleep(0.0001)
        for _ in range(1000):
            with contextlib.suppress(OSError):  # the stage has written meanwhile
                return resize(self.disk, used(self.disk) + 8192)
        raise AssertionError("The disk could not be filled.")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_disk_that_fills_up_during_any_stage_leaves_the_store_intact(tmp_path):
    """The error names the place and the space needed; with room again, the same bytes appear."""
    files = find_files(_write_dataset(tmp_path / "data", train=4000, test=4000, side=28))
    settings = Settings(training=TrainingSettings(epochs=1, precision="float32"))
    size = 400_000_000
    with disk(tmp_path / "disk", str(size)) as folder:
        squeezing = Squeezing(Store(folder / "artifacts"), folder, size)
        pipeline(squeezing, files, settings)

    assert list(squeezing.refused) == STEPS
    for label, message in squeezing.refused.items():
        assert str(folder) in message, label
        assert "MB" in message, label
        assert "run again" in message, label


def test_a_read_only_folder_ends_in_one_clear_line(project, tmp_path):
    """Before anything is computed, and what is there stays as it is."""
    with disk(tmp_path / "disk", "200m") as folder:
        artifacts = folder / "artifacts"
        subprocess.run(["cp", "-a", project.folder / "artifacts", artifacts], check=True)
        before = contents(artifacts)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        error = project.run(
            "full.py", "--data", project.folder / "data", *OPTIONS, "--artifacts", artifacts,
            code=1,
        )  # fmt: skip
        plan = project.planned(*OPTIONS, "--artifacts", artifacts)

        assert contents(artifacts) == before
    [line] = [line for line in error.splitlines() if line.startswith("error: ")]
    assert str(artifacts) in line
    assert "--artifacts" in line
    assert "Traceback" not in error
    assert {row["state"] for row in plan.values()} == {"cached"}
