"""The record of a run: written before every step, so that a killed run leaves it too."""

import contextlib
import datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from .errors import StoreError
from .files import friendly_os_errors
from .handles import write_atomically
from .locks import is_locked, marking, try_lock, unlock
from .manifest import Record
from .store import Store

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
        self.record = RunRecord(
            name=f"{started:%Y%m%d-%H%M%S}-{safe[:60].strip('-') or 'run'}",
            flow=flow,
            started=started.isoformat(timespec="seconds"),
            data=data,
            settings=settings,
        )

    def begin(self, step: str, stage: str, key: str) -> None:
        """Record what is about to be used or computed, so that it is not collected as garbage."""
        record = StepRecord(step=step, stage=stage, key=key)
        with marking(self.store, alone=False):
            self._write(steps=(*self.record.steps, record))

    def end(self, state: str, seconds: float) -> None:
        """Note how the step that began last ended; the next one writes it to the disk."""
        *before, last = self.record.steps
        ended = last.model_copy(update={"state": state, "seconds": seconds})
        self.record = self.record.model_copy(update={"steps": (*before, ended)})

    def finished(self) -> RunRecord:
        """Return the record of a run that has done everything."""
        return self.record.model_copy(update={"state": "finished"})

    def _write(self, **update: object) -> None:
        self.record = self.record.model_copy(update=update)
        with friendly_os_errors(self.store.root):
            write_atomically(self._path, self.record.model_dump_json(indent=1).encode())

    @property
    def _path(self) -> Path:
        return _active(self.store) / f"{self.record.name}.json"

    def __enter__(self) -> Self:
        """Begin the journal."""
        with friendly_os_errors(self.store.root):
            self._lock = try_lock(run_lock(self.store, self.record.name))
            if self._lock is None:
                raise StoreError(
                    f"Another run is called {self.record.name}.", "Start this one again."
                )
            self._write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the record of a run that failed, remove that of one that was published."""
        try:
            if error is None:
                self._path.unlink()
            elif isinstance(error, Exception):
                with contextlib.suppress(StoreError):  # a full disk is what `error` says already
                    self._write(state="failed", message=str(error))
        finally:
            if self._lock is not None:
                unlock(run_lock(self.store, self.record.name), self._lock)


def run_lock(store: Store, name: str) -> Path:
    """Return the lock that a run under way holds."""
    return store.root / "locks" / f"run-{name}"


def read_record(path: Path) -> RunRecord:
    """Read the record of a run.

    Raises:
        StoreError: If the file is missing or not such a record.
    """
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{path}: missing or not the record of a run.", "If it was edited, remove it."
        ) from error


def unfinished_runs(store: Store) -> list[RunRecord]:
    """Return the runs under way and those that were interrupted or failed, oldest first."""
    records = []
    for path in sorted(_active(store).glob("[0-9]*.json")):
        record = read_record(path)
        alive = is_locked(run_lock(store, record.name))
        if record.state == "running" and not alive:
            record = record.model_copy(update={"state": "interrupted"})
        records.append(record)
    return records


def forget(store: Store, name: str) -> None:
    """Remove the record of a run that did not finish."""
    (_active(store) / f"{name}.json").unlink(missing_ok=True)


def _active(store: Store) -> Path:
    return store.root / "active"
