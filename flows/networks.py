"""Which network is meant by `latest`, `champion`, a run's name or a path: the one place that says
so."""

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoencoders.errors import PipelineError
from flows.champion import CHAMPION, require_champion
from flows.recipe import has_own_noise, trained_levels
from tasks.engine.errors import DamagedError, StoreError
from tasks.engine.files import sha256_of
from tasks.engine.journal import RunRecord, run_folder
from tasks.engine.published import all_runs, find_run, latest_name, published_files
from tasks.engine.store import Store

LATEST = "latest"
DENOISER = "denoiser"
TEST_IMAGES = {"prepare test": "clean", "add noise test": "noisy", "prepare noisy test": "noisy"}
"""By the step that makes them, what test images are."""
REPEAT = "Repeat the run, which recomputes it; or copy the run again."


@dataclass(frozen=True)
class ChosenRun:
    """Networks, and what is known of where they are from."""

    name: str
    """What to call it."""
    models: dict[str, Path]
    """The `.keras` files, by the name of the network; all intact."""
    folder: Path | None
    """The folder of the run; None for a file without one."""
    images: dict[str, Path] = field(default_factory=dict)
    """Test images as arrays, by `clean` and `noisy`, where the store has them."""

    def network(self, name: str) -> Path:
        """Return the file of a network.

        Raises:
            PipelineError: If there is no such network.
        """
        if name not in self.models:
            raise PipelineError(
                f"{self.name}: has no network called {name}.", "Give another one with --model."
            )
        return self.models[name]

    @property
    def settings(self) -> dict[str, Any]:
        """What the run computed, as JSON values; nothing if that is not known."""
        found = _json(self.folder, "settings.json")
        return found if {"training", "noise", "denoiser"} <= found.keys() else {}

    @property
    def metrics(self) -> dict[str, Any]:
        """What the networks reached on the test images; nothing if that is not known."""
        return _json(self.folder, "metrics.json")

    @property
    def inspection(self) -> dict[str, Any]:
        """What was recognised in the data; nothing if that is not known."""
        return _json(self.folder, "inspection.json")

    @property
    def data(self) -> dict[str, Any]:
        """The sha256 and size of the files of the data, by role; nothing if not known."""
        found: dict[str, Any] = _json(self.folder, "manifest.json").get("inputs", {})
        return found

    @property
    def trained_noise(self) -> tuple[float, float] | None:
        """The weakest and the strongest noise that the denoiser learned from, as factors; None if
        there was none, or none that was drawn, or that is not known."""
        levels = trained_levels(self.settings) if self.settings and not self.own_noise else None
        return levels if levels and levels[1] else None

    @property
    def own_noise(self) -> bool:
        """Whether the noise was not drawn, but came with the images."""
        return has_own_noise(self.data)


def choose_run(model: str, artifacts: Path) -> ChosenRun:
    """Find the networks that are meant.

    Args:
        model: `latest`; `champion`; the name of a run, or the end of one; a folder of a run; a
            `.keras` file.
        artifacts: The folder of all results.

    Raises:
        PipelineError: If there is none.
        DamagedError: If a file is not what its run has published.
    """
    if model == CHAMPION:
        store = Store(artifacts)
        return _of_store(require_champion(store).run, store)
    path = Path(model)
    if model != LATEST and path.is_dir():
        return _of_folder(path)
    if model != LATEST and path.is_file():
        return ChosenRun(str(path), {DENOISER: path}, _folder_above(path))
    return _of_store(model, Store(artifacts))


def _of_store(model: str, store: Store) -> ChosenRun:
    runs = [record.name for record in all_runs(store) if record.state == "finished"]
    if not runs or (model == LATEST and not latest_name(store)):
        raise PipelineError(
            f"{store.root}: there is no finished run in it, so there is no network to use.",
            "Train one (`autoencoders run`), or say where it is with --artifacts or --model.",
        )
    record = find_run(store, model)
    folder = run_folder(store, record.name)
    models = {}
    for place, entry in published_files(store, record).items():
        if place.startswith("models/") and place.endswith(".keras"):
            models[Path(place).stem] = _intact(folder / place, entry.sha256)
    return ChosenRun(record.name, models, folder, _test_images(store, record))


def _test_images(store: Store, record: RunRecord) -> dict[str, Path]:
    """Return the test images of a run; of an older one, those that are still there."""
    found = {}
    for step in record.steps:
        if (kind := TEST_IMAGES.get(step.step)) is not None:
            with contextlib.suppress(StoreError):
                found[kind] = store.find(step.stage, step.key)["images.npy"].path
    return found


def _of_folder(folder: Path) -> ChosenRun:
    """Return the networks of a copy of a run, or of its folder."""
    files = _json(folder, "manifest.json").get("files", {})
    models = {path.stem: path for path in sorted(folder.glob("models/*.keras"))}
    if not models:
        raise PipelineError(
            f"{folder}: expected the folder of a run, with `models/denoiser.keras` in it.",
            "Give such a folder or a .keras file with --model.",
        )
    for path in models.values():
        entry = files.get(f"models/{path.name}")
        if entry is not None:
            _intact(path, entry["sha256"])
    return ChosenRun(str(folder), models, folder)


def _intact(path: Path, sha256: str) -> Path:
    """Return the path of a file that is what its run has published.

    Raises:
        DamagedError: If it is not.
    """
    try:
        found = sha256_of(path)
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read ({error.strerror}).", REPEAT) from error
    if found != sha256:
        raise DamagedError(f"{path}: changed after it was published.", REPEAT)
    return path


def _folder_above(path: Path) -> Path | None:
    """Return the folder of the run that a network lies in, if it lies in one."""
    above = path.absolute().parents[1]
    return above if path.parent.name == "models" and (above / "settings.json").is_file() else None


def _json(folder: Path | None, name: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / name).read_bytes()) if folder is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
