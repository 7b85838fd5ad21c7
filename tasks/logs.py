"""Where a stage says what it does."""

import logging

from prefect.context import TaskRunContext
from prefect.logging import get_logger, get_run_logger

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


def run_logger() -> Logger:
    """Return the logger of the task run under way, which Prefect's pages show; outside a run,
    one that writes to the terminal alone."""
    return get_run_logger() if TaskRunContext.get() is not None else get_logger("stages")
