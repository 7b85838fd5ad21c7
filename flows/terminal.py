"""The terminal, or whatever stands in for it: characters it cannot show, output nobody takes."""

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from rich.console import Console

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def leave(code: int, message: str) -> NoReturn:
    """End with this exit code and one message."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"error: {message}")
    sys.exit(code)


def end_now(code: int) -> NoReturn:
    """End at once, without what Python does at its end."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def prepare_output() -> None:
    """Show `?` for a character that the terminal cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def output_errors() -> Iterator[None]:
    """End in one line if what is printed cannot be written, in none if nobody reads it."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where an error can still be reported
    except BrokenPipeError:  # whoever read our output has seen enough
        _abandon_output()
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if error.filename is not None or error.errno not in REFUSED:
            raise
        _abandon_output()
        leave(1, f"the output cannot be written ({error.strerror}).")
    except UnicodeEncodeError as error:
        if "surrogates" not in error.reason:
            raise
        leave(1, "a path has a name that this locale cannot spell. Set PYTHONUTF8=1.")


def _abandon_output() -> None:
    """Let Python's own flush at the end go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
