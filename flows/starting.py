"""What a terminal shows while the libraries of a run are imported, which takes seconds.

It imports nothing that takes long itself.
"""

import contextlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator

FRAMES = "|/-\\"
RHYTHM = 0.2
"""Seconds between two frames."""

_finished = threading.Event()


def announce(what: str) -> None:
    """Say what is being done until `announced` is called; in a terminal, in a line that moves.

    To be called before Prefect is imported: a run by hand sends no usage data, so Prefect need not
    say that it does.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    if sys.stderr is None:
        return
    if not sys.stderr.isatty():
        _write(f"{what} ...\n")
        return
    threading.Thread(target=_move, args=(what,), name="starting", daemon=True).start()


def announced() -> None:
    """End the line of `announce`, if there is one."""
    _finished.set()
    for thread in threading.enumerate():
        if thread.name == "starting":
            thread.join()


def _move(what: str) -> None:
    started = time.monotonic()
    for frame in _frames():
        _write(f"\r{frame} {what} ... {time.monotonic() - started:.0f} s ")
    _write("\r\x1b[K")  # nothing of it stays


def _frames() -> Iterator[str]:
    for frame in itertools.cycle(FRAMES):
        yield frame
        if _finished.wait(RHYTHM):
            return


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it
        sys.stderr.write(text)
        sys.stderr.flush()
