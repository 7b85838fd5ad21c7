"""What a terminal shows of a run under way: what is done, how long it takes, how far it is.

Where the output is no terminal, Prefect's own lines are shown, one per event; in a terminal they
make way for a line per step, and one or two at the end that move.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console, Group, RenderableType
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tasks.engine.watching import watched_by

NAME_WIDTH = 24
BAR_WIDTH = 28
CACHED = "Cached"


class Display:
    """The moving lines of a terminal, and what stays above them."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        fancy = console.encoding.startswith("utf")
        self._spinner = Spinner("dots" if fancy else "line")
        self._done, self._reused = ("\u2713", "\u2261") if fancy else ("+", "=")
        self._cached: list[str] = []
        self._share: float | None = None
        self._finish_step("Starting")

    def status(self, text: str) -> None:
        """Say what is being done between the steps."""
        self._what, self._since = text, time.monotonic()

    def begins(self, step: str) -> None:
        """Show the step as the one under way."""
        self._step = step
        self.status(step)

    def says(self, line: str) -> None:
        """Show a line of the step below it; one that says how far it is makes way for the next."""
        if self._share is None:
            self._notes.append(line)
        self._line = line

    def moves(self, share: float) -> None:
        """Show a bar."""
        self._share = share

    def ends(self, step: str, state: str, seconds: float) -> None:
        """Leave the step above with what it said; of steps from the cache, one line for many."""
        if state == CACHED:
            self._cached.append(step)
        else:
            self._flush()
            done = state == "Completed"
            mark = Text(f"{self._done} ", "green") if done else Text("! ", "red")
            self._console.print(
                Text.assemble(mark, step.ljust(NAME_WIDTH), (f"{_clock(seconds):>9}", "cyan"))
            )
            said = [*self._notes, *([self._line] if self._share is not None else [])]
            for line in said:
                self._console.print(
                    Padding(Text(self._shortened(line), "dim"), (0, 0, 0, 4), expand=False)
                )
        self._finish_step("Going on")

    def finish(self) -> None:
        """Leave what is still to be said."""
        self._flush()

    def take(self, record: logging.LogRecord) -> bool:
        """Take a line of the log; return whether Prefect is to show it itself."""
        if record.levelno >= logging.ERROR or record.exc_info:
            return True
        if record.levelno >= logging.WARNING:
            self._flush()
            self._console.print(Text(f"! {record.getMessage()}", "yellow"))
        elif not self._step and record.levelno >= logging.INFO:
            self.status(record.getMessage().rstrip("."))
        return False

    def _finish_step(self, then: str) -> None:
        self._step, self._line, self._share = "", "", None
        self._notes: list[str] = []
        self.status(then)

    def _shortened(self, line: str) -> str:
        """Return a line without the name of the step, which stands above it."""
        subject, colon, rest = line.partition(": ")
        return rest if colon and self._step.endswith(f" {subject}") else line

    def _flush(self) -> None:
        if self._cached:
            count = len(self._cached)
            what = f"{count} steps" if count > 1 else self._cached[0]
            self._console.print(
                Text.assemble((f"{self._reused} ", "blue"), what, " from the cache")
            )
            self._cached.clear()

    def __rich__(self) -> RenderableType:
        """Return the moving lines."""
        first = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [self._spinner, self._what]
        if self._share is not None:
            cells += [ProgressBar(1, self._share, BAR_WIDTH), f"{self._share:4.0%}"]
        first.add_row(*cells, Text(_clock(time.monotonic() - self._since), "cyan"))
        below = Text(self._shortened(self._line), "dim")
        return Group(first, Padding(below, (0, 0, 0, 4), expand=False)) if below else first


@contextmanager
def watching() -> Iterator[Display | None]:
    """Show the runs within this block in the terminal, if standard error is one."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield None
        return
    display = Display(console)
    with (
        Live(console=console, get_renderable=display.__rich__, refresh_per_second=5,
             transient=True, redirect_stdout=False, redirect_stderr=False),
        _log_shown_by(display, console),
        watched_by(display),
    ):  # fmt: skip
        yield display
        display.finish()


@contextmanager
def _log_shown_by(display: Display, console: Console) -> Iterator[None]:
    """Let the display take what Prefect would print; what it leaves is printed above it."""
    every = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = {
        handler
        for logger in every
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
        if isinstance(handler, PrefectConsoleHandler)
    }
    before = {handler: handler.console.file for handler in handlers}
    for handler in handlers:
        handler.addFilter(display.take)
        handler.console.file = cast(TextIO, FileProxy(console, before[handler]))
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(display.take)
            handler.console.file = before[handler]


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
