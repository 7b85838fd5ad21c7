"""Who watches a run within its own process, as a terminal does: told of each step as it goes on.

Prefect's pages and the log are for everybody; a watcher is for whoever has started the run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Watcher(Protocol):
    """Is told what the steps of a run do, in order; nothing depends on what it does with it."""

    def begins(self, step: str) -> None:
        """Take note that a step begins: it may be computed or come from the cache."""

    def says(self, line: str) -> None:
        """Take note of what the step under way says in one line."""

    def moves(self, share: float) -> None:
        """Take note of how much of the step under way is done, from 0 to 1."""

    def ends(self, step: str, state: str, seconds: float) -> None:
        """Take note that a step has ended, in this state of Prefect's."""


class _Nobody:
    def begins(self, step: str) -> None:
        pass

    def says(self, line: str) -> None:
        pass

    def moves(self, share: float) -> None:
        pass

    def ends(self, step: str, state: str, seconds: float) -> None:
        pass


_watcher: ContextVar[Watcher] = ContextVar("watcher", default=_Nobody())  # noqa: B039  # no state


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Let `watcher` be told of the runs within this block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def current_watcher() -> Watcher:
    """Return who is to be told; somebody who ignores it where nobody watches."""
    return _watcher.get()


def is_watched() -> bool:
    """Return whether somebody watches."""
    return not isinstance(_watcher.get(), _Nobody)
