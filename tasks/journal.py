"""The record of a run: written before and after every step, so that a killed run leaves it too."""

import contextlib
import datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError

from autoencoders.settings import Settings
from tasks.locks import is_locked, marking, try_lock, unlock
from tasks.store import Record, Store, StoreError, explained, write_atomically

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
    started: str
    """ISO 8601, UTC."""
    data: dict[str, str]
    """URIs of the user's files, by role."""
    settings: Settings
    steps: tuple[StepRecord, ...] = ()
    state: State = "running"
    message: str = ""
    """Why it failed."""


class Journal:
    """Keeps the record of the run under way in `active/<run>.json`, under a lock of its own."""

    def __init__(
        self, store: Store, started: datetime.datetime, prefect_name: str, settings: Settings
    ) -> None:
        """Name the run so that it sorts by time and is found again on Prefect's pages.

        Whatever a user called the flow run, the name holds only letters, digits and dashes.
        """
        safe = "-".join(
            "".join(c if c.isascii() and c.isalnum() else " " for c in prefect_name).split()
        )
        self.store = store
        self.record = RunRecord(
            name=f"{started:%Y%m%d-%H%M%S}-{safe[:60].strip('-') or 'run'}",
            started=started.isoformat(timespec="seconds"),
            data={},
            settings=settings,
        )

    def reads(self, data: dict[str, str]) -> None:
        """Write down which files of the user are read."""
        self._write(data=data)

    def begin(self, step: str, stage: str, key: str) -> None:
        """Write down what is about to be used or computed, so that nobody removes it."""
        record = StepRecord(step=step, stage=stage, key=key)
        with marking(self.store, alone=False):
            self._write(steps=(*self.record.steps, record))

    def end(self, state: str, seconds: float) -> None:
        """Write down how the step begun last ended."""
        *before, last = self.record.steps
        ended = last.model_copy(update={"state": state, "seconds": seconds})
        self._write(steps=(*before, ended))

    def finished(self) -> RunRecord:
        """Return the record of a run that has done everything."""
        return self.record.model_copy(update={"state": "finished"})

    def _write(self, **update: object) -> None:
        self.record = self.record.model_copy(update=update)
        with explained(self.store.root):
            write_atomically(self._path, self.record.model_dump_json(indent=1).encode())

    @property
    def _path(self) -> Path:
        return _active(self.store) / f"{self.record.name}.json"

    def __enter__(self) -> Self:
        """Begin the journal."""
        with explained(self.store.root):
            self._lock = try_lock(run_lock(self.store, self.record.name))
            if self._lock is None:
                raise StoreError(f"Another run is called {self.record.name}. Start this one again.")
            self._write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the record of a run that failed, remove that of one that was published."""
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
            f"{path}: missing or not the record of a run. If it was edited, remove it."
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
