"""The cache against a sceptic: what is changed, what is damaged, and what runs because of it.

`plan` is asked before every run, and must have said what the run then does.
"""

import contextlib
import ctypes
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from autoencoders.settings import EvaluationSettings, Settings, TrainingSettings, resolved
from flows.full import pipeline
from tasks.engine.errors import DiskFullError
from tasks.engine.locks import lock_file
from tasks.engine.manifest import Artifact
from tasks.engine.published import finished_runs
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of
from tasks.engine.store import MANIFEST, Store
from tasks.engine.verify import verify_store
from tasks.find_files import find_files
from tests.support import SMALL, STEPS, Project, contents, write_dataset

OPTIONS = (*SMALL[:4], "--training.epochs", 1)
MS_REMOUNT = 32
CATALOGUE = "flows/catalogue.py"
NOISE = "autoencoders/images/gaussian_noise.py"
TRAININGS = {"train autoencoder", "train denoiser"}
SCORES = {step for step in STEPS if step.startswith("score ")}
DRAWINGS = {step for step in STEPS if step.startswith("draw ")}
COMPARED = {"evaluate", "draw score distribution", "draw robustness", "draw class scores",
            "draw extremes", "report"}  # fmt: skip
"""Steps that put all methods side by side."""


@pytest.fixture(scope="module")
def base(tmp_path_factory, server_environment):
    """A project with one finished run. Its function `psnr` has a default argument."""
    folder = tmp_path_factory.mktemp("base")
    storage = {"PREFECT_LOCAL_STORAGE_PATH": str(folder / "storage")}
    project = Project.create(folder, {**server_environment, **storage})
    path = "autoencoders/metrics/quality.py"
    signature = "def psnr(mse: float | NDArray[np.float64]"
    project.edit(path, signature, f"{signature}, scale: float = -10")
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
    ran = {step["step"]: step["state"] for step in last_steps(project)}
    assert list(plan) == list(ran)
    assert [step for step in plan if step in STEPS] == STEPS
    possible = {
        "cached": {"Cached"},
        "compute": {"Completed"},
        "depends": {"Cached", "Completed"},
    }
    for step, row in plan.items():
        assert ran[step] in possible[row["state"]], (step, row)
    return {step for step, state in ran.items() if state == "Completed"}


def last_steps(project: Project) -> list[dict[str, Any]]:
    """Return the steps of the newest finished run, from a record that edited code may have
    written."""
    newest = max((project.folder / "artifacts" / "runs").glob("*/run.json"))
    steps: list[dict[str, Any]] = json.loads(newest.read_text())["steps"]
    return steps


def editing(path: str, old: str, new: str) -> Callable[[Project], object]:
    """Return a function that makes this edit in a project."""
    return lambda project: project.edit(path, old, new)


def reformat(project: Project) -> None:
    """Lay out a module differently."""
    project.edit(NOISE, "rng.standard_normal(images.shape, dtype=np.float32)",
                 "rng.standard_normal(\n  (images.shape),\n  dtype=np.float32 ,)")  # fmt: skip


def add_module(project: Project) -> None:
    """Write a module that nobody imports."""
    (project.folder / "autoencoders" / "unused.py").write_text("VALUE = 1\n")


def reorder_rows(project: Project) -> None:
    """Swap the first two train images, and their labels."""
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
    """Make the installed matplotlib report version 99."""
    site = project.folder / "site"
    (site / "matplotlib-99.dist-info").mkdir(parents=True)
    installed = distribution("matplotlib")
    text = str(installed.read_text("METADATA")).replace(f"Version: {installed.version}",
                                                        "Version: 99")  # fmt: skip
    (site / "matplotlib-99.dist-info" / "METADATA").write_text(text)
    project.environment = {**project.environment, "PYTHONPATH": str(site)}


def add_method(project: Project) -> None:
    """Add a network that is trained and scored like the others."""
    entry = 'Method("twin", "noisy", "a second denoiser, of other weights", trained=True),'
    project.edit(CATALOGUE, "METHODS = (", f"METHODS = (\n    {entry}")


def add_classical_method(project: Project) -> None:
    """Add a method that needs no network, in a module of its own."""
    (project.folder / "autoencoders" / "baselines" / "constant.py").write_text(
        "import numpy as np\n\n\ndef fit(pairs, noise_factor, rng):\n"
        "    return {'mean': np.mean([clean.mean() for _, clean in pairs])}\n\n\n"
        "def restore(images, learned):\n"
        "    return np.full_like(images, learned['mean'])\n"
    )
    entry = 'Method("constant", "noisy", "the mean of all pixels", f"{BASELINES}.constant"),'
    project.edit(CATALOGUE, "METHODS = (", f"METHODS = (\n    {entry}")


def add_metric(project: Project) -> None:
    """Add a metric in a module of its own."""
    (project.folder / "autoencoders" / "metrics" / "largest_error.py").write_text(
        "import numpy as np\n\n\ndef largest_error(clean, restored):\n"
        "    return np.abs(clean - restored).max(axis=(1, 2, 3))\n"
    )
    project.edit(
        CATALOGUE,
        "METRICS = (\n",
        "METRICS = (\n    Metric('largest', FunctionRef("
        "'autoencoders.metrics.largest_error:largest_error'), 'largest', 3),\n",
    )


def add_figure(project: Project) -> None:
    """Add a figure that draws files which are there already."""
    project.edit(
        CATALOGUE,
        "FIGURES = (\n",
        "FIGURES = (\n    Figure('originals', IMAGE_ROWS, "
        "{'original': 'images/test/clean'}, {'title': 'Originals'}),\n",
    )


def rename_helper(project: Project) -> None:
    """Rename a function of the engine, and its uses."""
    for path in (project.folder / "tasks" / "engine").glob("*.py"):
        path.write_text(path.read_text().replace("try_lock", "lock_now"))


ENGINE_EDITS = {
    "reworded error": editing("tasks/engine/store.py", "not an artifact's address.",
                              "not the address of an artifact."),
    "renamed helper": rename_helper,
    "new column": editing("tasks/engine/journal.py", '    message: str = ""\n',
                          '    message: str = ""\n    host: str = "here"\n'),
    "edited flow": editing("flows/full.py", "Run the whole pipeline.", "Run all of it."),
}  # fmt: skip
"""Edits of code that no stage can reach."""


@pytest.mark.long
def test_no_edit_of_engine_or_flows_changes_a_key(project):
    """What a stage cannot reach cannot change what it writes."""
    for change in ENGINE_EDITS.values():
        change(project)

    assert {row["state"] for row in project.planned(*OPTIONS).values()} == {"cached"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "options", "computed", "causes"),
    [
        pytest.param(editing("autoencoders/figures/image_rows.py", "CELL = 0.85", "CELL = 0.5"), (),
                     {"draw reconstructions", "draw noise", "draw denoising", "draw extremes"},
                     [("code", "autoencoders.figures.image_rows:CELL")], id="figure constant"),
        pytest.param(editing("autoencoders/models/network.py", "32, \"relu\"", "16, \"relu\""), (),
                     TRAININGS | {"score autoencoder", "score denoiser", "evaluate"}
                     | DRAWINGS - {"draw noise"} | {"report"},
                     [("code", "autoencoders.models.network:build_network")], id="network"),
        pytest.param(editing(NOISE, "noisy += images", "noisy += images * 1"),
                     (), {"add noise train", "add noise test"} | SCORES,  # each draws noise too
                     [("code", "autoencoders.images.gaussian_noise:add_gaussian_noise")],
                     id="function body"),
        pytest.param(editing("autoencoders/metrics/quality.py", "float = -10)", "float = -20)"), (),
                     SCORES | COMPARED,
                     [("code", "autoencoders.metrics.quality:psnr")], id="default argument"),
        pytest.param(editing(NOISE, '"""Add white', '"""Add some white'), (), set(), [],
                     id="docstring"),
        pytest.param(editing(NOISE, "    noisy += images",
                             "    # both\n    noisy += images  # here"), (), set(), [],
                     id="comment"),
        pytest.param(reformat, (), set(), [], id="reformatting"),
        pytest.param(add_module, (), set(), [], id="unused module"),
        *(pytest.param(change, (), set(), [], id=name) for name, change in ENGINE_EDITS.items()),
        pytest.param(add_method, (), {"train twin", "score twin", "draw loss curves",
                                      "draw architecture"} | COMPARED, [], id="new network"),
        pytest.param(add_classical_method, (), {"score constant"} | COMPARED, [],
                     id="new classical method"),
        pytest.param(editing("autoencoders/baselines/median_filter.py", "(1, 3, 5, 7)",
                             "(1,)"), (), {"score median", "draw denoising"} | COMPARED,
                     [("code", "autoencoders.baselines.median_filter:STRENGTHS")],
                     id="classical method"),
        pytest.param(add_metric, (), SCORES | COMPARED - {"draw extremes"},
                     [("setting", "exam.metrics.largest"),
                      ("code", "autoencoders.metrics.largest_error:<imports>"),
                      ("code", "autoencoders.metrics.largest_error:<order>"),
                      ("code", "autoencoders.metrics.largest_error:largest_error")],
                     id="new metric"),
        pytest.param(add_figure, (), {"draw originals", "report"}, [], id="new figure"),
        pytest.param(lambda project: None, ("--noise.factor", 0.25),
                     {"add noise train", "add noise test", "train denoiser", "draw loss curves",
                      "draw noise", "draw denoising"} | SCORES | COMPARED,
                     [("setting", "noise.factor")], id="settings field"),
        pytest.param(compress, (), {"ingest", "report"}, [("input", "files.test_data")],
                     id="same numbers, other file"),
        pytest.param(update_matplotlib, (), DRAWINGS | {"contact sheet", "report"},
                     [("library", "matplotlib"), ("library", "matplotlib (another copy)")],
                     id="library version"),
    ],
)  # fmt: skip
def test_a_change_recomputes_exactly_what_it_decides(project, change, options, computed, causes):
    """As `plan` said, and `explain` names the change itself as the cause."""
    change(project)

    assert run_as_planned(project, *OPTIONS, *options) == computed
    if causes:
        first = next(step for step in STEPS if step in computed)
        [explained] = project.explained(first)
        assert [(one["kind"], one["name"]) for one in explained["differences"]] == causes


@pytest.mark.slow
def test_reordered_images_recompute_all_that_depends_on_their_order(project):
    """All but what reads test images alone; principal components of the same images in another
    order differ in their last bits at most, so what reads these may be cached."""
    reorder_rows(project)

    cached = {*STEPS} - run_as_planned(project, *OPTIONS)
    assert cached - {"measure codes"} == {
        "prepare test", "add noise test", "score noisy", "draw architecture"
    }  # fmt: skip
    [explained] = project.explained("ingest")
    assert [(one["kind"], one["name"]) for one in explained["differences"]] == [
        ("input", "files.train_data"), ("input", "files.train_labels")
    ]  # fmt: skip


def artifact_folder(project: Project, step: str) -> Path:
    """Return the folder of the last run's artifact of a step."""
    [found] = [one for one in last_steps(project) if one["step"] == step]
    return Store(project.folder / "artifacts").folder(found["stage"], found["key"])


def first_file(folder: Path) -> Path:
    """Return the first file of an artifact beside its manifest."""
    return next(path for path in sorted(folder.iterdir()) if path.name != MANIFEST)


def delete(folder: Path) -> None:
    first_file(folder).unlink()


def truncate(folder: Path) -> None:
    path = first_file(folder)
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(folder: Path) -> None:
    path = first_file(folder)
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
    """As `plan` said, and only the damaged artifact is computed again.

    The manifest is the record of both the key and the result: Prefect keeps none beside it.
    """
    expected = contents(project.folder / "artifacts" / "latest")
    damage(artifact_folder(project, step))
    if damage is flip_a_bit:  # of the right size, so only reading it finds it
        assert "1 damaged" in project.run("cli.py", "verify", code=1)

    assert run_as_planned(project, *OPTIONS) == {step}
    assert contents(project.folder / "artifacts" / "latest") == expected
    assert "all intact" in project.run("cli.py", "verify")
    assert not (project.folder / "storage").exists()


@pytest.mark.long
def test_lock_files_left_behind_block_nothing(project):
    """A lock is the kernel's; the file alone means nothing, and is removed."""
    store = Store(project.folder / "artifacts")
    for step in last_steps(project):
        path = lock_file(store, step["stage"], step["key"])
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"holder": "a dead process"}')
    artifact_folder(project, "draw noise").rename(project.folder / "away")

    assert run_as_planned(project, *OPTIONS) == {"draw noise"}
    left = {path.name for path in (store.root / "locks").iterdir()}
    assert left - {"slot-training-0"} == {"store"}  # slots are used again and again


@pytest.mark.long
def test_a_store_moved_to_another_place_is_all_cached(project):
    """No path is part of any key, and all links are relative."""
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
    """Mount a file system in memory, where this user may."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, size: int) -> None:
    """Resize the mounted file system by the system call itself; a command takes too long.

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
    """Computes each step of a pipeline twice, first on a disk that fills up once it has begun."""

    def __init__(self, store: Store, disk: Path, size: int) -> None:
        self.store, self.disk, self.size = store, disk, size
        self.refused: dict[str, str] = {}
        self.filling = ""
        """How the path of a file begins that fills up the disk when it is opened."""
        sys.addaudithook(self.fill)  # in the stage's own thread, at a moment that does not vary

    def __call__(self, label: str, function: Callable, /, *args, **kwargs) -> Artifact:
        stage = stage_of(function)
        inputs = stage.bind(*args, **kwargs)
        key = stage.key_parts(inputs).key
        before = set(self.store.artifacts())
        self.filling = str(self.store.root / "tmp" / f"{stage.name}-{key}-")
        with pytest.raises(DiskFullError) as caught:
            stage.compute(self.store, inputs)
        self.refused[label] = str(caught.value)
        assert set(self.store.artifacts()) == before
        assert verify_store(self.store, lambda done, total: None) == []
        resize(self.disk, self.size)
        return stage.compute(self.store, inputs)

    def fill(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take almost all space as soon as a stage opens a file to write into."""
        if event == "open" and self.filling and str(arguments[0]).startswith(self.filling):
            self.filling = ""
            resize(self.disk, used(self.disk) + 8192)


@pytest.mark.long
def test_a_disk_that_fills_up_during_any_stage_leaves_the_store_intact(tmp_path):
    """The error names the place and the space needed; with room again, the same bytes appear."""
    data = write_dataset(tmp_path / "data", train=800, test=800, side=28)
    few = EvaluationSettings(images=20, curve_images=5)
    settings = resolved(Settings(training=TrainingSettings(epochs=1), evaluation=few), "float32", 2)
    size = 400_000_000
    with disk(tmp_path / "disk", str(size)) as folder:
        squeezing = Squeezing(Store(folder / "artifacts"), folder, size)
        pipeline(squeezing, input_refs(find_files(data)), settings)

    assert list(squeezing.refused) == STEPS
    for label, message in squeezing.refused.items():
        assert str(folder) in message, label
        assert "MB" in message, label
        assert "run again" in message, label


@pytest.mark.long
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
