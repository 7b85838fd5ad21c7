"""How a long stage tells people where it is: log lines, and a bar on Prefect's pages."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext

from .logs import run_logger

PAUSE = 300
"""Seconds for which a server that did not answer is left alone: each try makes the stage wait."""


class StepReport:
    """Shows what a stage reports: a log line each time and, for shares done, a progress bar."""

    def __init__(self, label: str) -> None:
        """Report for the step called `label`; the bar appears with the first share."""
        self._label = label
        self._bar: UUID | None = None
        self._log = run_logger()
        self._not_before = 0.0

    def __call__(self, line: str, share: float | None) -> None:
        """Log `line`; set the bar to `share`, from 0 to 1, if there is one."""
        self._log.info(line)
        if share is None or TaskRunContext.get() is None or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + PAUSE
        with tolerating_server_errors("progress bar"):
            self._show(100 * share)
            self._not_before = 0.0

    def _show(self, percent: float) -> None:
        if self._bar is None:
            key = re.sub(r"[^a-z0-9]+", "-", self._label.lower()).strip("-")
            self._bar = create_progress_artifact(0.0, key=key, description=self._label)  # type: ignore[assignment]
        assert self._bar is not None
        update_progress_artifact(self._bar, progress=round(percent, 1))


@contextmanager
def tolerating_server_errors(what: str) -> Iterator[None]:
    """Go on without `what` on Prefect's pages: it is not worth losing hours of work."""
    try:
        yield
    except (httpx.HTTPError, RuntimeError) as error:
        run_logger().warning("Prefect's server does not answer (%s): no %s.", error, what)
