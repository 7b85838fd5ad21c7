"""How a long stage tells people where it is: log lines, and a bar on Prefect's pages."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext

from tasks.logs import run_logger

PAUSE = 300
"""Seconds for which a server that did not answer is left alone: each try makes training wait."""


class Progress:
    """Log lines and a progress bar of one task run; outside a run, log lines alone."""

    def __init__(self, key: str, description: str) -> None:
        """Open the bar called `key` (lower-case letters, digits and dashes)."""
        self._bar: UUID | None = None
        self._log = run_logger()
        self._not_before = 0.0
        if TaskRunContext.get() is not None:
            with server_may_be_away("progress bar"):
                self._bar = create_progress_artifact(0.0, key=key, description=description)  # type: ignore[assignment]

    def show(self, share: float, line: str) -> None:
        """Log `line` and set the bar to `share`, from 0 to 1."""
        self._log.info(line)
        if self._bar is not None and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + PAUSE
            with server_may_be_away("progress bar"):
                update_progress_artifact(self._bar, progress=round(100 * share, 1))
                self._not_before = 0.0


@contextmanager
def server_may_be_away(what: str) -> Iterator[None]:
    """Go on without `what` on Prefect's pages: it is not worth hours of training."""
    try:
        yield
    except (httpx.HTTPError, RuntimeError) as error:
        run_logger().warning("Prefect's server does not answer (%s): no %s.", error, what)
