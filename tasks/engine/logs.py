"""The logs of runs and stages."""

import logging
from collections.abc import Callable

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_logger, get_run_logger

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]
Warn = Callable[[str], None]
"""Receives what is wrong with a record that is skipped, and what to do about it."""


def run_logger() -> Logger:
    """Return the logger of the run under way, whose lines Prefect's pages show; outside a run, one
    that only writes to the terminal."""
    if TaskRunContext.get() is None and FlowRunContext.get() is None:
        return get_logger("stages")
    return get_run_logger()


def log_warning(text: str) -> None:
    """Tell people in one line about something that does not stop what is under way."""
    run_logger().warning("%s", text)
