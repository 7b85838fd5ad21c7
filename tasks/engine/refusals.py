"""Errors that a user can fix: worded for whoever reads them, and logged once.

Prefect logs an exception where it leaves a task, where it leaves the flow, and with each state that
says `Failed`. Here the reason is one line of our own, written where the error is seen first; what
Prefect would repeat of it is dropped.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass

from .errors import EngineError
from .logs import Logger, run_logger
from .retries import is_transient


@dataclass(frozen=True)
class Refusals:
    """Which errors a user can fix, and how they are worded for their reader."""

    errors: tuple[type[Exception], ...] = (EngineError,)
    word: Callable[[Exception], None] = lambda error: None
    """Changes the text of an error."""


_CURRENT: ContextVar[Refusals] = ContextVar("refusals", default=Refusals())  # noqa: B039


@contextlib.contextmanager
def telling(refusals: Refusals) -> Iterator[None]:
    """Word and log these errors while a flow runs, also within its tasks."""
    token = refusing(refusals)
    try:
        with telling_once():
            yield
    finally:
        _CURRENT.reset(token)


def refusing(refusals: Refusals) -> Token[Refusals]:
    """Word and log these errors from now on; the token undoes it."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_NOT_AGAIN)
    return _CURRENT.set(refusals)


def current_refusals() -> Refusals:
    """Return which errors are worded and logged at present."""
    return _CURRENT.get()


@contextlib.contextmanager
def telling_once(*, retried: bool = False) -> Iterator[None]:
    """Log an error that a user can fix in one line, unless that was done further inside.

    Args:
        retried: Whether what is transient is tried again by whoever is outside.
    """
    try:
        yield
    except Exception as error:
        if not (retried and is_transient(error)):
            _tell(error)
        raise


def _tell(error: Exception) -> None:
    refusals = _CURRENT.get()
    if not isinstance(error, refusals.errors) or _is_told(error):
        return
    refusals.word(error)
    log_reason(run_logger(), str(error))
    error.__told__ = True  # type: ignore[attr-defined]


def _is_told(error: BaseException | None) -> bool:
    return getattr(error, "__told__", False)


_ENDED = re.compile(r"^(Finished in state (?:Failed|Crashed))\(.*", re.DOTALL)


class _NotAgain(logging.Filter):
    """Drops what Prefect says of an error that was told, and the reason from its last lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = re.sub(
            r"(?s)^(Finished in state (?:Failed|Crashed))\(.*", r"\1", str(record.msg)
        )
        return not (record.exc_info and _is_told(record.exc_info[1]))


_NOT_AGAIN = _NotAgain()


_RAISING: ContextVar[bool] = ContextVar("raising", default=False)


@contextlib.contextmanager
def raising() -> Iterator[None]:
    """Say that errors are raised to a caller who shows them: then they are for pages alone."""
    token = _RAISING.set(True)
    try:
        yield
    finally:
        _RAISING.reset(token)


def log_reason(logger: Logger, text: str) -> None:
    """Log why a run ended, or what to do about it; in the terminal only if nobody else says so."""
    # Found now: Prefect makes new handlers when it sets its logging up again
    handlers = logging.getLogger().handlers if _RAISING.get() else []

    def others(record: logging.LogRecord) -> bool:
        return record.getMessage() != text

    for handler in handlers:
        handler.addFilter(others)
    logger.error("%s", text)
    for handler in handlers:
        handler.removeFilter(others)
