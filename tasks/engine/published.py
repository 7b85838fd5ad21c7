"""The folders of finished runs: links to what stages published, and what people read first."""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .errors import DamagedError, NotPublishedError, RunNotFoundError
from .files import friendly_os_errors, read_file, to_json
from .handles import ArtifactRef, sync
from .journal import (
    RECORD,
    RunRecord,
    finished_runs,
    run_folder,
    unfinished_runs,
)
from .logs import Warn, log_warning
from .manifest import FileEntry
from .rooms import delete, move_aside, rename
from .store import MANIFEST, Store

LATEST = "latest"


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
        for ref in files.values():
            _require_intact(store, ref)
        final = store.room("runs") / record.name
        draft = Path(tempfile.mkdtemp(prefix="run-", dir=store.room("tmp")))
        try:
            folder = draft / record.name
            _write_folder(folder, written)
            _link_files(folder, files, final)
            if latest:
                (draft / LATEST).symlink_to(Path("runs") / record.name)
                _make_way_for_latest(store)
            if os.path.lexists(final):
                move_aside(store.root, final)
            rename(folder, final)  # from here on the run is finished, whatever happens
            if latest:
                _replace_latest(store, draft / LATEST)
        finally:
            delete(draft)
    return PublishedRun(final, record, files)


def _require_intact(store: Store, ref: ArtifactRef) -> None:
    """Read a file through before it is published; a damaged one is removed with its artifact.

    Raises:
        DamagedError: If it is not what its stage wrote.
    """
    try:
        store.fetch(ref)
    except DamagedError:
        if store.owns(ref):
            store.discard(ref.path.parent)
        raise


def _write_folder(folder: Path, written: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in written.items():
        (folder / name).write_bytes(content)
        sync(folder / name)


def _link_files(folder: Path, files: Mapping[str, ArtifactRef], final: Path) -> None:
    """Link files into `folder`, relative to `final`, where it will stand."""
    runs = final.parent.resolve() if final.parent.is_symlink() else final.parent
    for place, ref in files.items():
        link = folder / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(ref.path, (runs / final.name / place).parent))
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(inner)


def _make_way_for_latest(store: Store) -> None:
    """Move aside whatever stands in the place of `latest` and is no link."""
    path = store.root / LATEST
    if os.path.lexists(path) and not path.is_symlink():
        move_aside(store.root, path)


def _replace_latest(store: Store, pointer: Path) -> None:
    """Point `latest` at the run that was just published: if that fails, the run is no less so."""
    try:
        pointer.replace(store.root / LATEST)
        sync(store.root)
    except OSError as error:
        log_warning(f"{store.root / LATEST}: still links to an earlier run ({error.strerror}).")


def all_runs(store: Store, warn: Warn = log_warning) -> list[RunRecord]:
    """Return every run of which there is a readable record, oldest first."""
    runs = [*unfinished_runs(store, warn), *finished_runs(store, warn)]
    # In this order: a run that finishes meanwhile is in both, and its later record counts
    return sorted({run.name: run for run in runs}.values(), key=lambda run: run.name)


def latest_name(store: Store) -> str:
    """Return the name of the run that `latest` shows; nothing if it shows none."""
    try:
        return RunRecord.model_validate_json(read_file(store.root / LATEST / RECORD)).name
    except (OSError, ValidationError):
        return ""


def find_run(store: Store, name: str, warn: Warn = log_warning) -> RunRecord:
    """Find a finished run by its name, the end of its name, or `latest`.

    Raises:
        RunNotFoundError: If there is none, or more than one.
    """
    runs = finished_runs(store, warn)
    wanted = latest_name(store) if name == LATEST else name
    found = [run for run in runs if run.name == wanted] or [
        run for run in runs if wanted and run.name.endswith(f"-{wanted}")
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
        NotPublishedError: If the run has never had it.
        DamagedError: If it is gone or was changed.
    """
    path = run_folder(store, record.name) / place
    published = published_files(store, record)
    if place not in published:
        raise NotPublishedError(
            f"{record.name}, a run of {record.flow or 'an older version'}: has no {place}.",
            f"It has: {', '.join(published)}.",
        )
    entry = published[place]
    try:
        content = read_file(path)
    except OSError as error:
        raise DamagedError(f"{path}: missing or damaged.") from error
    if sha256(content).hexdigest() != entry.sha256:
        raise DamagedError(f"{path}: changed after it was published.")
    return content


def published_files(store: Store, record: RunRecord) -> dict[str, FileEntry]:
    """Return what a finished run has published, by its place in the run's folder.

    Raises:
        DamagedError: If its manifest is gone or was damaged.
    """
    return _manifest_of(store, record).files


def published_inputs(store: Store, record: RunRecord) -> dict[str, FileEntry]:
    """Return the content of the user's files that a finished run has read, by role.

    Raises:
        DamagedError: If its manifest is gone or was damaged.
    """
    return _manifest_of(store, record).inputs


def previous_run(
    store: Store, record: RunRecord, same_flow: Sequence[str], warn: Warn = log_warning
) -> RunRecord | None:
    """Find the last finished run before this one that had the same data, byte by byte.

    Args:
        store: Where runs are.
        record: A finished run.
        same_flow: Names of flows that count.
        warn: Receives what is wrong with records that are skipped.

    Returns:
        None if there is none.
    """
    data = _manifest_of(store, record).inputs
    for run in reversed(finished_runs(store, warn)):
        if run.name < record.name and run.flow in same_flow:
            with contextlib.suppress(DamagedError):  # then it is no run to compare with
                if _manifest_of(store, run).inputs == data:
                    return run
    return None


def published_refs(store: Store, record: RunRecord) -> dict[str, ArtifactRef]:
    """Return the files that a finished run has published, by their place in its folder.

    Raises:
        DamagedError: If its manifest is gone or was damaged.
    """
    folder = run_folder(store, record.name)
    return {
        place: ArtifactRef((folder / place).resolve().as_uri(), entry.sha256, entry.size)
        for place, entry in published_files(store, record).items()
    }


class _RunManifest(BaseModel):
    """Of the manifest of a run, what names its files."""

    inputs: dict[str, FileEntry]
    files: dict[str, FileEntry]


def _manifest_of(store: Store, record: RunRecord) -> _RunManifest:
    path = run_folder(store, record.name) / MANIFEST
    try:
        return _RunManifest.model_validate_json(read_file(path))
    except (OSError, ValidationError) as error:
        raise DamagedError(f"{path}: missing or damaged.") from error


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
