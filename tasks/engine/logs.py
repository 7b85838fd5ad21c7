"""The logs of runs and stages."""

import logging
from collections.abc import Callable

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_logger, get_run_logger

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]
Warn = Callable[[str], None]
"""Receives what is wrong with a record that is skipped, and what to do about it."""


def hide_tracebacks(*errors: type[Exception]) -> None:
    """Log errors of these types, which a user can fix, without the traceback through our code."""
    wanted = _HideTracebacks(errors)
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if wanted not in logger.filters:
            logger.addFilter(wanted)


class _HideTracebacks(logging.Filter):
    def __init__(self, errors: tuple[type[Exception], ...]) -> None:
        super().__init__()
        self.errors = errors

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, self.errors):
            record.exc_info = None
            record.exc_text = None
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _HideTracebacks) and other.errors == self.errors

    def __hash__(self) -> int:
        return hash(self.errors)


def run_logger() -> Logger:
    """Return the logger of the run under way, whose lines Prefect's pages show; outside a run, one
    that only writes to the terminal."""
    if TaskRunContext.get() is None and FlowRunContext.get() is None:
        return get_logger("stages")
    return get_run_logger()


def log_warning(text: str) -> None:
    """Tell people in one line about something that does not stop what is under way."""
    run_logger().warning("%s", text)
