"""Where a stage says what it does."""

import logging

from prefect.context import TaskRunContext
from prefect.logging import get_logger, get_run_logger

from autoencoders.errors import PipelineError

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


def hide_tracebacks() -> None:
    """Keep Prefect's word that a run failed, but not the way through our code to a wrong file."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, PipelineError):
        record.exc_info = None
        record.exc_text = None
    return True


def run_logger() -> Logger:
    """Return the logger of the task run under way, which Prefect's pages show; outside a run,
    one that writes to the terminal alone."""
    return get_run_logger() if TaskRunContext.get() is not None else get_logger("stages")
