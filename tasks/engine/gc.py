"""Garbage collection: removes what neither the last runs nor a run under way use.

Reading thousands of records and deleting thousands of folders takes time, in which no run could
begin a step if the store were locked. So records are read before the lock; under it only those of
runs under way and new ones are read, and what is garbage is renamed; it is deleted after the lock.
"""

import contextlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .aliases import aliases
from .errors import StoreError
from .files import friendly_os_errors
from .journal import (
    RunRecord,
    active_paths,
    finished_paths,
    forget,
    is_finished,
    mentioned_keys,
    read_record,
    run_folder,
    run_lock,
)
from .locks import is_locked, lock_file, marking, try_lock, unlock
from .logs import Warn, log_warning
from .manifest import KEY, NAME
from .published import latest_name
from .rooms import delete, entries, hide, new_trash
from .store import Store

OUR_LOCK = re.compile(rf"run-.*|{NAME.pattern}-{KEY.pattern}")
OUR_PREFIXES = ("trash-", "run-")
"""How the names of temporary folders begin that belong to no artifact."""
STALE_SECONDS = 24 * 3600
"""Age from which a temporary folder that belongs to no computation is garbage."""
Address = tuple[str, str]
"""Stage and key."""


@dataclass(frozen=True)
class Freed:
    """Something that was removed, or would be."""

    kind: str
    """A stage, or `run`, `checkpoint`, `temporary`."""
    name: str
    size: int
    """Bytes."""


@dataclass
class _Census:
    """Which runs there are, and which artifacts."""

    store: Store
    warn: Warn
    artifacts: list[Address] = field(default_factory=list)
    """As they were before the lock: what is published later is none of ours."""
    finished: dict[str, RunRecord] = field(default_factory=dict)
    unfinished: dict[str, RunRecord] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    mentioned: dict[Path, set[str]] = field(default_factory=dict)
    """By record that cannot be read, the keys that it seems to name: they are kept."""

    def read(self) -> None:
        """Read what is new since the last time, and every record of an unfinished run.

        Unfinished ones first: a run that finishes meanwhile is then seen in either place.
        """
        self.unfinished = dict(self._read(active_paths(self.store)))
        names = [*self.unfinished, *self._locked_names()]
        self.under_way = {name for name in names if is_locked(run_lock(self.store, name))}
        paths = finished_paths(self.store)
        self.finished = {name: one for name, one in self.finished.items() if name in paths}
        known = self.finished.keys()
        self.finished |= dict(self._read({n: p for n, p in paths.items() if n not in known}))

    def _read(self, paths: dict[str, Path]) -> Iterator[tuple[str, RunRecord]]:
        for name, path in paths.items():
            if path in self.mentioned:
                continue
            try:
                yield name, read_record(path, name)
            except StoreError as error:
                self.warn(str(error))
                self.mentioned[path] = mentioned_keys(path)

    def _locked_names(self) -> list[str]:
        locks = [path.name for path in entries(self.store.root / "locks")]
        return [name.removeprefix("run-") for name in locks if name.startswith("run-")]

    def require_known(self) -> None:
        """Refuse to guess what a run under way uses.

        Raises:
            StoreError: If its record cannot be read.
        """
        for name in sorted(self.under_way - self.unfinished.keys() - self.finished.keys()):
            raise StoreError(
                f"The run {name} is under way, and its record cannot be read.",
                "Wait until it has ended; nothing was removed.",
            )

    def divided(self, keep_last: int) -> tuple[set[str], set[str]]:
        """Return the names of the runs to keep, `keep_last` of each flow, and of those to drop."""
        latest = latest_name(self.store)
        by_flow: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self.finished):
            by_flow[self._flow(self.finished[name], latest)].append(name)
        newest = {flow: names[-keep_last:] for flow, names in by_flow.items()}
        kept = {name for names in newest.values() for name in names}
        kept |= {run for alias in aliases(self.store) for run in alias.pinned()}
        kept |= {latest, *self.under_way}  # one that is published may yet be named by an alias
        kept &= self.finished.keys()
        for name, record in self.unfinished.items():
            finished = newest.get(self._flow(record, latest), [])
            if name in self.under_way or len(finished) < keep_last or name > finished[0]:
                kept.add(name)
        return kept, {*self.finished, *self.unfinished} - kept

    def _flow(self, record: RunRecord, latest: str) -> str:
        """Return the flow of a run; one that did not record it counts as that of `latest`."""
        return record.flow or (self.finished[latest].flow if latest in self.finished else "")

    def used(self, kept: Iterable[str]) -> set[Address]:
        """Return the artifacts that these runs use."""
        runs = {**self.finished, **self.unfinished}
        return {(step.stage, step.key) for name in kept for step in runs[name].steps}

    def unused(self, kept: Iterable[str]) -> list[tuple[str, Path]]:
        """Return what no run uses, each with its kind."""
        store, used = self.store, self.used(kept)
        keys = {key for found in self.mentioned.values() for key in found}
        doomed = [
            (stage, store.folder(stage, key))
            for stage, key in self.artifacts
            if (stage, key) not in used and key not in keys
        ]
        doomed += [("checkpoint", path) for path in _unused_checkpoints(store, used, keys)]
        return doomed + [("temporary", path) for path in _leftovers(store)]


def collect_garbage(
    store: Store, keep_last: int, *, dry_run: bool, warn: Warn = log_warning
) -> list[Freed]:
    """Remove what neither the last runs nor a run under way use.

    Kept are the last `keep_last` finished runs of each flow and the run `latest`, what aliases name
    and have named before, every run under way, and unfinished runs that are not older than the runs
    kept, so that they can resume. A run whose record cannot be read stays, with everything that its
    record still names.

    Returns:
        What was removed, or would be with `dry_run`, which writes nothing and takes no lock.

    Raises:
        StoreError: If the record of a run under way cannot be read, so that what it uses is
            unknown; or the newest decision about an alias.
    """
    with friendly_os_errors(store.root):
        _require_folders(store)
        if not store.exists():
            return []
        census = _Census(store, warn, list(store.artifacts()))
        census.read()
        if dry_run:
            census.require_known()
            kept, dropped = census.divided(keep_last)
            return [_freed(*one, one[1]) for one in _doomed(census, kept, dropped)]
        trash = new_trash(store.root)
        try:
            with marking(store, alone=True):
                census.read()
                census.require_known()
                kept, dropped = census.divided(keep_last)
                hidden = _hidden(_doomed(census, kept, dropped), trash)
                for name in dropped & census.unfinished.keys():
                    forget(store, name)
            _tidy(store)
            return [_deleted(*one) for one in hidden]
        finally:
            delete(trash)


def _require_folders(store: Store) -> None:
    """Refuse to work where all runs seem to be gone, as when a disk is not mounted."""
    for name in ("runs", "active"):
        path = store.root / name
        if os.path.lexists(path) and not path.is_dir():
            raise StoreError(
                f"{path}: is not a folder, so it is unknown which runs there are.",
                "Put it back, or remove it; nothing was removed.",
            )


def _doomed(census: _Census, kept: set[str], dropped: set[str]) -> list[tuple[str, Path]]:
    """Return everything to remove, runs first: no run is seen without what it links to."""
    finished = sorted(dropped & census.finished.keys())
    runs = [("run", run_folder(census.store, name)) for name in finished]
    return runs + census.unused(kept)


def _hidden(doomed: list[tuple[str, Path]], trash: Path) -> list[tuple[str, Path, Path]]:
    """Take things out of sight; return their kinds, where they were and where they are."""
    hidden = []
    for kind, path in doomed:
        with contextlib.suppress(FileNotFoundError):  # its stage has finished meanwhile
            hidden.append((kind, path, hide(path, trash)))
    return hidden


def _deleted(kind: str, path: Path, hidden: Path) -> Freed:
    freed = _freed(kind, path, hidden)
    delete(hidden)
    return freed


def _freed(kind: str, path: Path, where: Path) -> Freed:
    return Freed(kind, path.name, _size(where))


def _unused_checkpoints(store: Store, used: set[Address], keys: set[str]) -> Iterator[Path]:
    for path in entries(store.root / "checkpoints"):
        stage, _, key = path.name.rpartition("-")
        with contextlib.suppress(StoreError):  # nothing of ours
            lock = lock_file(store, stage, key)
            if (stage, key) not in used and key not in keys and not is_locked(lock):
                yield path


def _leftovers(store: Store) -> Iterator[Path]:
    """Yield what killed processes left in the temporary folder."""
    for path in entries(store.root / "tmp"):
        stage, _, rest = path.name.partition("-")
        try:
            lock = lock_file(store, stage, rest.partition("-")[0])
        except StoreError:
            with contextlib.suppress(FileNotFoundError):
                stale = time.time() - path.lstat().st_mtime > STALE_SECONDS
                if stale and path.name.startswith(OUR_PREFIXES):
                    yield path
            continue
        if not is_locked(lock):
            yield path


def _tidy(store: Store) -> None:
    """Remove what processes left that were killed while they ended: journals and lock files."""
    for path in entries(store.root / "active"):
        if is_finished(store, path.stem) and not is_locked(run_lock(store, path.stem)):
            store.discard(path)
    for path in entries(store.root / "locks"):
        if OUR_LOCK.fullmatch(path.name) and (descriptor := try_lock(path)) is not None:
            unlock(path, descriptor)


def _size(path: Path) -> int:
    """Return the bytes of the files at or below `path`, links not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found = Path(folder, name).lstat()
                total += 0 if Path(folder, name).is_symlink() else found.st_size
    return total
