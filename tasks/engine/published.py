"""The folders of finished runs: links to what stages published, and what people read first."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .errors import DamagedError, RunNotFoundError
from .files import friendly_os_errors, sha256_of, to_json
from .handles import ArtifactRef, sync
from .journal import RunRecord, read_record, unfinished_runs
from .manifest import FileEntry
from .store import MANIFEST, Store

LATEST = "latest"
RECORD = "run.json"


@dataclass(frozen=True)
class PublishedRun:
    """A finished run."""

    folder: Path
    record: RunRecord
    files: Mapping[str, ArtifactRef]
    """By their place in the folder."""


def publish_run(
    store: Store,
    record: RunRecord,
    data: Mapping[str, ArtifactRef],
    files: Mapping[str, ArtifactRef],
    texts: Mapping[str, str],
    *,
    latest: bool,
) -> PublishedRun:
    """Write the run's folder, all at once, and point `latest` at it if asked to.

    `manifest.json`, `settings.json` and `texts` say what was computed and are the same bytes
    whenever the run is repeated; `run.json` says when, and what was cached.
    """
    written = {
        "settings.json": to_json(record.settings),
        MANIFEST: to_json(_manifest(record, data, files)),
        RECORD: record.model_dump_json(indent=1).encode(),
        **{name: text.encode() for name, text in texts.items()},
    }
    with friendly_os_errors(store.root):
        final = store.root / "runs" / record.name
        for folder in (final.parent, store.root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="run-", dir=store.root / "tmp") as draft:
            folder = Path(draft) / record.name
            folder.mkdir()
            for name, content in written.items():
                (folder / name).write_bytes(content)
                sync(folder / name)
            for place, ref in files.items():
                link = folder / place
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(os.path.relpath(ref.path, (final / place).parent))
            sync(folder)
            folder.rename(final)
            sync(final.parent)
            if latest:
                pointer = Path(draft) / LATEST
                pointer.symlink_to(final.relative_to(store.root))
                pointer.replace(store.root / LATEST)
                sync(store.root)
    return PublishedRun(final, record, files)


def finished_runs(store: Store) -> list[RunRecord]:
    """Return the records of all finished runs, oldest first.

    Raises:
        StoreError: If a record was damaged.
    """
    return [read_record(path) for path in sorted((store.root / "runs").glob(f"*/{RECORD}"))]


def all_runs(store: Store) -> list[RunRecord]:
    """Return every run of which there is a record, oldest first."""
    return sorted([*finished_runs(store), *unfinished_runs(store)], key=lambda record: record.name)


def find_run(store: Store, name: str) -> RunRecord:
    """Find a finished run by its name, the end of its name, or `latest`.

    Raises:
        RunNotFoundError: If there is none, or more than one.
    """
    runs = finished_runs(store)
    if name == LATEST:
        name = (store.root / LATEST).resolve().name
    found = [run for run in runs if run.name == name] or [
        run for run in runs if run.name.endswith(f"-{name}")
    ]
    if len(found) != 1:
        raise RunNotFoundError(
            f"{name}: {'no finished run' if not found else 'more than one run'} of this name.",
            f"There are: {', '.join(run.name for run in runs) or 'none'}.",
        )
    return found[0]


def read_published(store: Store, record: RunRecord, place: str) -> bytes:
    """Return the content of a file in the folder of a finished run.

    Raises:
        DamagedError: If it is gone or was changed.
    """
    folder = store.root / "runs" / record.name
    path = folder / place
    try:
        content = path.read_bytes()
        entries = _ENTRIES.validate_json((folder / MANIFEST).read_bytes())["files"]
        intact = sha256_of(path) == FileEntry.model_validate(entries[place]).sha256
    except (OSError, ValidationError, KeyError) as error:
        raise DamagedError(f"{path}: missing or damaged.") from error
    if not intact:
        raise DamagedError(f"{path}: changed after it was published.")
    return content


_ENTRIES: TypeAdapter[dict[str, dict[str, Any]]] = TypeAdapter(dict[str, dict[str, Any]])


def _manifest(
    record: RunRecord, data: Mapping[str, ArtifactRef], files: Mapping[str, ArtifactRef]
) -> dict[str, Any]:
    return {
        "inputs": _contents(data),
        "steps": {step.step: {"stage": step.stage, "key": step.key} for step in record.steps},
        "files": _contents(files),
    }


def _contents(refs: Mapping[str, ArtifactRef]) -> dict[str, Any]:
    return {name: {"sha256": ref.sha256, "size": ref.size} for name, ref in refs.items()}
