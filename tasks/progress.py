"""How a long stage tells people where it is: log lines, and a bar on Prefect's pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext

from tasks.logs import run_logger


class Progress:
    """Log lines and a progress bar of one task run; outside a run, log lines alone."""

    def __init__(self, key: str, description: str) -> None:
        """Open the bar called `key` (lower-case letters, digits and dashes)."""
        self._bar: UUID | None = None
        self._log = run_logger()
        if TaskRunContext.get() is not None:
            with self._forgiving():
                self._bar = create_progress_artifact(0.0, key=key, description=description)  # type: ignore[assignment]

    def show(self, share: float, line: str) -> None:
        """Log `line` and set the bar to `share`, from 0 to 1."""
        self._log.info(line)
        if self._bar is not None:
            with self._forgiving():
                update_progress_artifact(self._bar, progress=round(100 * share, 1))

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """A bar is not worth hours of training: without its server the work goes on."""
        try:
            yield
        except (httpx.HTTPError, RuntimeError) as error:
            self._bar = None
            self._log.warning("Prefect's server does not answer (%s); no progress bar.", error)
