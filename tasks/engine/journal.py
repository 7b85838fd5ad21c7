"""The record of a run: written before every step, so that a killed run leaves it too."""

import contextlib
import datetime
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError

from .errors import StoreError
from .files import friendly_os_errors, read_file
from .handles import write_atomically
from .locks import is_locked, marking, try_lock, unlock
from .logs import Warn, log_warning
from .manifest import Record
from .rooms import entries
from .store import Store

RECORD = "run.json"
RECORD_VERSION = 1
"""Raise it when the form of a run's record changes, so that older versions can tell a newer record
from a damaged one. It is in no key."""
RUN_NAME = r"^[0-9]{8}-[0-9]{6}-[A-Za-z0-9-]+$"
State = Literal["running", "interrupted", "failed", "finished"]


class StepRecord(Record):
    """One step of a run."""

    step: str
    stage: str
    key: str
    state: str = "Running"
    """Running, or what Prefect said at the end: Completed, Cached, Failed."""
    seconds: float | None = None
    """How long the run waited for it."""


class RunRecord(Record):
    """One run, as far as it came."""

    version: Annotated[int, Field(ge=0, le=RECORD_VERSION)] = 0
    """`RECORD_VERSION` of whoever wrote it; 0 before there was such a number."""
    name: Annotated[str, Field(pattern=RUN_NAME)]
    flow: str = ""
    """Name of the Prefect flow; empty before it was recorded."""
    started: str
    """ISO 8601, UTC."""
    data: dict[str, str]
    """URIs of the user's files, by role."""
    settings: dict[str, Any]
    """What the run was given, as JSON values."""
    steps: tuple[StepRecord, ...] = ()
    state: State = "running"
    message: str = ""
    """Why it failed."""


class Journal:
    """Keeps the record of the run under way in `active/<run>.json`, under a lock of its own."""

    def __init__(
        self, store: Store, *, flow: str, name: str, settings: dict[str, Any], data: dict[str, str]
    ) -> None:
        """Name the run so that it sorts by time and is found again on Prefect's pages.

        Whatever a user called the flow run, the name holds only letters, digits and dashes.
        """
        started = datetime.datetime.now(datetime.UTC)
        safe = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name).split())
        self.store = store
        self._lock: int | None = None
        self.record = RunRecord(
            version=RECORD_VERSION,
            name=f"{started:%Y%m%d-%H%M%S}-{safe[:60].strip('-') or 'run'}",
            flow=flow,
            started=started.isoformat(timespec="seconds"),
            data=data,
            settings=settings,
        )

    def begin(self, step: str, stage: str, key: str) -> int:
        """Record what is about to be used or computed, so that it is not collected as garbage.

        Returns:
            The place of the step in the record.
        """
        record = StepRecord(step=step, stage=stage, key=key)
        with marking(self.store, alone=False):
            self._write(steps=(*self.record.steps, record))
        return len(self.record.steps) - 1

    def end(self, state: str, seconds: float, place: int = -1) -> None:
        """Note how a step ended, the last one unless it is said which; the next that begins writes
        it to the disk."""
        steps = list(self.record.steps)
        steps[place] = steps[place].model_copy(update={"state": state, "seconds": seconds})
        self.record = self.record.model_copy(update={"steps": tuple(steps)})

    def finished(self) -> RunRecord:
        """Return the record of a run that has done everything."""
        return self.record.model_copy(update={"state": "finished"})

    def _write(self, **update: object) -> None:
        self.record = self.record.model_copy(update=update)
        with friendly_os_errors(self.store.root):
            self.store.room("active")
            write_atomically(self._path, self.record.model_dump_json(indent=1).encode())

    @property
    def _path(self) -> Path:
        return active_path(self.store, self.record.name)

    def __enter__(self) -> Self:
        """Begin the journal, under a name that no other run has."""
        wanted = self.record.name
        with marking(self.store, alone=False):  # nobody sees the lock without the record
            for number in itertools.count(2):
                if self._take_name():
                    break
                self.record = self.record.model_copy(update={"name": f"{wanted}-{number}"})
            try:
                self._write()
            except BaseException:
                self._unlock()
                raise
        return self

    def _take_name(self) -> bool:
        """Lock the name of the run, unless another run has it or had it."""
        name = self.record.name
        self._lock = try_lock(run_lock(self.store, name))
        taken = any(map(os.path.lexists, (run_folder(self.store, name), self._path)))
        if taken:
            self._unlock()
        return self._lock is not None

    def _unlock(self) -> None:
        if self._lock is not None:
            unlock(run_lock(self.store, self.record.name), self._lock)
            self._lock = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the record of a run that failed, remove that of one that was published.

        What was published has not failed, whatever happened afterwards.
        """
        try:
            if error is None or is_finished(self.store, self.record.name):
                forget(self.store, self.record.name)
            elif isinstance(error, Exception):
                with contextlib.suppress(StoreError):  # a full disk is what `error` says already
                    self._write(state="failed", message=str(error))
        finally:
            self._unlock()


def run_lock(store: Store, name: str) -> Path:
    """Return the lock that a run under way holds."""
    return store.root / "locks" / f"run-{name}"


def run_folder(store: Store, name: str) -> Path:
    """Return where a finished run stands, or would."""
    return store.root / "runs" / name


def active_path(store: Store, name: str) -> Path:
    """Return where the record of a run that has not finished stands, or would."""
    return store.root / "active" / f"{name}.json"


def is_finished(store: Store, name: str) -> bool:
    """Return whether a run was published: its folder appears at once, with its record in it."""
    return os.path.lexists(run_folder(store, name) / RECORD)


class _Version(BaseModel):
    """Of a record in whatever form, the version."""

    version: int


def read_record(path: Path, name: str) -> RunRecord:
    """Read the record of the run called `name`.

    Raises:
        StoreError: If it is missing, no such record, or one of a newer version.
    """
    remove = path.parent if path.name == RECORD else path
    advice = f"It is skipped; remove {remove} if nobody needs it."
    try:
        content = read_file(path)
        record = RunRecord.model_validate_json(content)
    except OSError as error:
        problem = f"{path}: no readable record of a run ({error.strerror})."
        raise StoreError(problem, advice) from error
    except ValidationError as error:
        if version_of(content) > RECORD_VERSION:
            newer = f"{path}: written by a newer version of this project."
            raise StoreError(newer, "It is skipped; update this project.") from error
        raise StoreError(f"{path}: not the record of a run, or damaged.", advice) from error
    if record.name != name:
        raise StoreError(f"{path}: the record of another run, {record.name}.", advice)
    return record


def version_of(content: bytes) -> int:
    """Return the version of a record in whatever form; 0 if it has none."""
    try:
        return _Version.model_validate_json(content).version
    except ValidationError:
        return 0


def mentioned_keys(path: Path) -> set[str]:
    """Return every key that may be named in a record, readable or not."""
    try:
        return set(re.findall(r"[0-9a-f]{32}", read_file(path).decode("latin-1")))
    except OSError:
        return set()


def finished_paths(store: Store) -> dict[str, Path]:
    """Return where the records of finished runs are, by the name of the run, oldest first."""
    with friendly_os_errors(store.root):
        found = [path for path in entries(store.root / "runs") if path.name[0] != "."]
    return {path.name: path / RECORD for path in found}


def active_paths(store: Store) -> dict[str, Path]:
    """Return where the records of other runs are, by the name of the run, oldest first."""
    with friendly_os_errors(store.root):
        found = [path for path in entries(store.root / "active") if path.name[0] != "."]
    return {path.stem: path for path in found if not is_finished(store, path.stem)}


def read_records(paths: Iterable[tuple[str, Path]], warn: Warn) -> Iterator[RunRecord]:
    """Yield the records at these places; one that cannot be read is skipped, with a warning."""
    for name, path in paths:
        try:
            yield read_record(path, name)
        except StoreError as error:
            warn(str(error))


def finished_runs(store: Store, warn: Warn = log_warning) -> list[RunRecord]:
    """Return the records of all finished runs, oldest first."""
    return list(read_records(finished_paths(store).items(), warn))


def unfinished_runs(store: Store, warn: Warn = log_warning) -> list[RunRecord]:
    """Return the runs under way and those that were interrupted or failed, oldest first."""
    records = []
    for record in read_records(active_paths(store).items(), warn):
        dead = record.state == "running" and not is_locked(run_lock(store, record.name))
        records.append(record.model_copy(update={"state": "interrupted"}) if dead else record)
    return records


def forget(store: Store, name: str) -> None:
    """Remove the record of a run that did not finish."""
    with friendly_os_errors(store.root):
        active_path(store, name).unlink(missing_ok=True)
