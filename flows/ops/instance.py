"""At most one `make server` per PREFECT_HOME, since its database bears no second one.

Two files are locked there. The kernel drops a lock with the last process that holds it, so no
process has to be looked for, and none that belongs to somebody else is ever taken for ours.
"""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO

from autoencoders.errors import PipelineError
from flows.ops.supervisor import ENDING

RECORD = "make-server.json"
"""Name of the file that says where the server is, and is locked while it is."""
PATIENCE = 3
"""Seconds before a server that holds its lock counts as running: it may have been told to end."""


class Instance:
    """The right to run the server of a PREFECT_HOME."""

    def __init__(self, home: Path) -> None:
        """Take it, as soon as an earlier `make server` and all that it started have ended.

        Args:
            home: PREFECT_HOME.

        Raises:
            PipelineError: If one is running, if something that it left does not end, or if the
                folder cannot be written.
        """
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._supervisor = (home / RECORD).open("a+", encoding="utf-8")
            self._processes = (home / "make-server.processes").open("a", encoding="utf-8")
        except OSError as error:
            raise PipelineError(
                problem=f"{error.filename}: {error.strerror}.",
                advice="Make it writable, or set PREFECT_HOME to another folder.",
            ) from error
        self._wait_for_supervisor()
        self._wait_for_processes()

    @property
    def lock(self) -> int:
        """An open file; what is given it counts as a process of this server until it ends."""
        return self._processes.fileno()

    def publish(self, url: str) -> None:
        """Say where this server answers, for the message to a second one."""
        self._supervisor.truncate(0)
        json.dump({"url": url, "pid": os.getpid()}, self._supervisor)
        self._supervisor.flush()

    def withdraw(self) -> None:
        """Say that this server is about to end: the next one waits for it."""
        self._supervisor.truncate(0)

    def _wait_for_supervisor(self) -> None:
        began = time.monotonic()
        while not _locked(self._supervisor):
            self._supervisor.seek(0)
            running = self._supervisor.read()
            if time.monotonic() - began > (PATIENCE if running else 2 * ENDING):
                raise _running(json.loads(running or "{}"))
            time.sleep(0.2)

    def _wait_for_processes(self) -> None:
        deadline = None
        while not _locked(self._processes):
            if deadline is None:
                print("An earlier server's processes are ending; waiting for them.", flush=True)
                deadline = time.monotonic() + 2 * ENDING
            if time.monotonic() > deadline:
                raise PipelineError(
                    "Processes started by an earlier `make server` are not ending.",
                    f"They hold a file open, and `lsof {self._processes.name}` names them.",
                )
            time.sleep(0.2)


def published(home: Path) -> str | None:
    """Return where the server of a PREFECT_HOME answers, if one is running."""
    try:
        with (home / RECORD).open(encoding="utf-8") as file:
            running = file.read()
            return json.loads(running)["url"] if running and not _locked(file) else None
    except OSError:
        return None  # there was never one


def _locked(file: IO[str]) -> bool:
    """Lock a file; return whether that was possible."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _running(record: dict[str, object]) -> PipelineError:
    where = f" at {record['url']} (process {record['pid']})" if record else ""
    return PipelineError(
        problem=f"A server of this PREFECT_HOME is already running{where}.",
        advice="Use it, or stop it with Ctrl-C where it was started. For a second one beside it, "
        "give it a database of its own: PREFECT_HOME=FOLDER, and another --port.",
    )
