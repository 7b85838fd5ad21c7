"""How a long stage tells people where it is: log lines, a bar on Prefect's pages, a watcher."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext

from .logs import run_logger
from .watching import current_watcher

PAUSE = 300
"""Seconds for which a server that did not answer is left alone: each try makes the stage wait."""
RHYTHM = 2
"""Seconds between two updates of the bar on Prefect's pages, at least, but for the last one."""


class StepReport:
    """Shows what a stage reports: a log line each time and, for shares done, a progress bar."""

    def __init__(self, label: str) -> None:
        """Report for the step called `label`; the bar appears with the first share."""
        self._label = label
        self._bar: UUID | None = None
        self._log = run_logger()
        self._not_before = 0.0
        self._answered = True
        self._last_line = label

    def __call__(self, line: str, share: float | None) -> None:
        """Log `line`, if it is not empty; set the bar to `share`, from 0 to 1, if there is one."""
        if share is not None:
            current_watcher().moves(share)
        if line:
            self._log.info(line)
            current_watcher().says(line)
        if share is None:
            return
        self._last_line = line or self._last_line
        now = time.monotonic()
        soon = now < self._not_before and not (share == 1 and self._answered)
        if soon or TaskRunContext.get() is None:
            return
        self._not_before, self._answered = now + PAUSE, False
        with tolerating_server_errors("progress bar"):
            self._show(100 * share)
            self._not_before, self._answered = now + RHYTHM, True

    def _show(self, percent: float) -> None:
        if self._bar is None:
            key = re.sub(r"[^a-z0-9]+", "-", self._label.lower()).strip("-")
            self._bar = create_progress_artifact(0.0, key=key, description=self._label)  # type: ignore[assignment]
        assert self._bar is not None
        update_progress_artifact(self._bar, progress=round(percent, 1), description=self._last_line)


@contextmanager
def tolerating_server_errors(what: str) -> Iterator[None]:
    """Go on without `what` on Prefect's pages: it is not worth losing hours of work."""
    try:
        yield
    except (httpx.HTTPError, RuntimeError) as error:
        run_logger().warning("Prefect's server does not answer (%s): no %s.", error, what)
