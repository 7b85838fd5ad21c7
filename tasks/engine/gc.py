"""Garbage collection: removes what neither the last runs nor a run under way use."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import StoreError
from .files import friendly_os_errors
from .journal import RunRecord, forget, unfinished_runs
from .locks import is_locked, lock_file, marking
from .published import LATEST, finished_runs
from .store import Store

STALE_SECONDS = 24 * 3600
"""Age from which a temporary folder that belongs to no computation is garbage."""


@dataclass(frozen=True)
class Freed:
    """Something that was removed, or would be."""

    kind: str
    """A stage, or `run`, `checkpoint`, `temporary`."""
    name: str
    size: int
    """Bytes."""


def collect_garbage(store: Store, keep_last: int, *, dry_run: bool) -> list[Freed]:
    """Remove what neither the last runs nor a run under way use.

    Kept are the last `keep_last` finished runs and the newest of all (`latest`), every run under
    way, and unfinished runs that are not older than the runs kept, so that they can resume.

    Returns:
        What was removed, or would be with `dry_run`.

    Raises:
        StoreError: If the record of a run was damaged, so that what it uses is unknown.
    """
    with friendly_os_errors(store.root), marking(store, alone=True):
        finished, unfinished = finished_runs(store), unfinished_runs(store)
        kept, dropped = _divide(store, finished, unfinished, keep_last)
        used = {(step.stage, step.key) for run in kept for step in run.steps}
        doomed = [
            (stage, store.folder(stage, key))
            for stage, key in store.artifacts()
            if (stage, key) not in used
        ]
        doomed += [("checkpoint", path) for path in _unused_checkpoints(store, used)]
        doomed += [("temporary", path) for path in _leftovers(store)]
        doomed += [("run", store.root / "runs" / run.name) for run in dropped if run in finished]
        freed = [Freed(kind, path.name, _size(path)) for kind, path in doomed]
        if not dry_run:
            for run in dropped:
                forget(store, run.name)
            for _, path in doomed:
                store.discard(path)
    return freed


def _divide(
    store: Store, finished: list[RunRecord], unfinished: list[RunRecord], keep_last: int
) -> tuple[list[RunRecord], list[RunRecord]]:
    """Return the runs to keep and the runs to drop."""
    latest = (store.root / LATEST).resolve().name
    newest = finished[-keep_last:]
    oldest_kept = newest[0].name if len(newest) == keep_last else ""
    kept = [run for run in finished if run in newest or run.name == latest]
    kept += [run for run in unfinished if run.state == "running" or run.name > oldest_kept]
    return kept, [run for run in [*finished, *unfinished] if run not in kept]


def _unused_checkpoints(store: Store, used: set[tuple[str, str]]) -> Iterator[Path]:
    for path in sorted((store.root / "checkpoints").glob("*-*")):
        stage, _, key = path.name.rpartition("-")
        if (stage, key) not in used and not is_locked(lock_file(store, stage, key)):
            yield path


def _leftovers(store: Store) -> Iterator[Path]:
    """Yield what killed processes left in the temporary folder."""
    for path in sorted((store.root / "tmp").glob("*")):
        stage, _, rest = path.name.partition("-")
        key = rest.partition("-")[0]
        try:
            lock = lock_file(store, stage, key)
        except StoreError:
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                yield path
            continue
        if not is_locked(lock):
            yield path


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    files = (file for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_size for file in files)
