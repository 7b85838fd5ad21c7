"""A child process that is restarted when it dies, and that ends with this one."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.ops.attached import GRACE_PERIOD

ENDING = 2 * GRACE_PERIOD + 5
"""Seconds within which a process ends by itself once nobody holds its lifeline any more."""
MAX_BACKOFF = 60.0
"""Longest pause, in seconds, before a process that keeps dying is restarted."""


class SupervisedProcess:
    """One of Prefect's long-running commands, restarted when it dies.

    It runs for as long as somebody holds its lifeline, the writing end of a pipe: this process
    does, and so do the processes that are given it (see flows/ops/attached.py).
    """

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str],
        holds: Sequence[int] = (),
    ) -> None:
        """Describe the process; `start` starts it.

        Args:
            arguments: Prefect's command, such as "server", "start"; the first one names it.
            folder: Its working directory.
            environment: All of its environment variables.
            holds: Open files that it is given, among them the lifelines of processes that must
                outlive it.
        """
        self.name = arguments[0]
        self._command = [sys.executable, "-m", "flows.ops.attached", "prefect", *arguments]
        self._folder = folder
        self._environment = dict(environment)
        self._holds = tuple(holds)
        self._standard_input, self.lifeline = os.pipe()
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
            stdin=self._standard_input,
            pass_fds=self._holds,
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

    def stop(self) -> None:
        """Let go of it and wait until it has ended, with everything that it started."""
        os.close(self.lifeline)
        if self._process is None:
            return
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:  # it is stopped by a debugger, say
            self._process.kill()
            self._process.wait()
