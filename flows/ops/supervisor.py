"""A child process that is restarted when it dies, and what is running on this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GRACE_PERIOD = 10
"""Seconds that a process and its children each have to exit before they are killed."""
MAX_BACKOFF = 60.0
"""Longest pause, in seconds, before a process that keeps dying is restarted."""


class SupervisedProcess:
    """One of Prefect's long-running commands, restarted when it dies."""

    def __init__(self, *arguments: str, folder: Path, environment: Mapping[str, str]) -> None:
        """Describe the process; `start` starts it.

        Args:
            arguments: Prefect's command, such as "server", "start"; the first one names it.
            folder: Its working directory.
            environment: All of its environment variables.
        """
        self.name = arguments[0]
        # In a terminal, `prefect server start` would offer to change the user's profile
        self._command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        self._folder = folder
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._backoff = 0.0

    def start(self) -> None:
        """Start it in a session of its own, so that the terminal's Ctrl-C does not reach it."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            self._command,
            cwd=self._folder,
            env=self._environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )

    def has_exited(self) -> bool:
        """Return whether it is not running."""
        return self._process is None or self._process.poll() is not None

    def restart_if_dead(self) -> None:
        """Restart it if it has died: at once, or with growing pauses while it keeps dying, as a
        server does while its database is down."""
        lifetime = time.monotonic() - self._started
        if not self.has_exited() or lifetime < self._backoff:
            return
        keeps_dying = lifetime < MAX_BACKOFF + self._backoff
        self._backoff = min(MAX_BACKOFF, 2 * self._backoff + 1) if keeps_dying else 0.0
        print(f"Prefect's {self.name} has died; starting it again.", flush=True)
        self.start()

    def stop_children(self) -> None:
        """Terminate its child processes and wait until they have exited, or the grace period."""
        deadline = time.monotonic() + GRACE_PERIOD
        while children := self._children():
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            if time.monotonic() > deadline:
                return
            time.sleep(0.5)

    def _children(self) -> list[int]:
        if self._process is None:
            return []
        parent = self._process.pid
        return [process.pid for process in running_processes() if process.parent == parent]

    def stop(self) -> None:
        """Terminate it; kill it if it outlives the grace period."""
        if self._process is None or self.has_exited():
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE_PERIOD)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True)
class RunningProcess:
    """One line of `ps`."""

    pid: int
    parent: int
    command: str
    """Program and arguments; empty for some kernel and zombie processes."""


def running_processes() -> list[RunningProcess]:
    """Return every process of this machine."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="],  # noqa: S607  # wherever the system keeps it
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [[*line.split(None, 2), ""] for line in listing.splitlines()]
    return [RunningProcess(int(pid), int(parent), command) for pid, parent, command, *_ in rows]
