"""The terminal, or whatever stands in for it: characters it cannot show, output nobody takes."""

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TextIO

from rich.console import Console
from rich.text import Text

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def leave(code: int, message: str) -> NoReturn:
    """End with this exit code and one message, whether or not anybody reads it."""
    try:
        print(f"error: {message}", file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)
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


def picture_columns() -> int:
    """Return how many characters a line of the terminal has for a picture; 0 if it shows none."""
    console = Console()
    shows = console.is_terminal and console.color_system in ("truecolor", "256")
    return console.width if shows and console.encoding.startswith("utf") else 0


def print_picture(text: str) -> None:
    """Print text with 24-bit colours, in the nearest ones that the terminal has."""
    Console(highlight=False, markup=False, soft_wrap=True).print(Text.from_ansi(text))


@contextlib.contextmanager
def output_errors() -> Iterator[None]:
    """End in one line if what is printed cannot be written, in none if nobody reads it."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where an error can still be reported
    except BrokenPipeError:  # whoever read our output has seen enough
        _end_unread()
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):  # as Rich takes it
            _end_unread()
        raise
    except OSError as error:
        if error.filename is not None or error.errno not in REFUSED:
            raise
        _abandon(sys.stdout)
        leave(1, f"the output cannot be written ({error.strerror}).")
    except UnicodeEncodeError as error:
        if "surrogates" not in error.reason:
            raise
        leave(1, "a path has a name that this locale cannot encode. Set PYTHONUTF8=1.")


def _end_unread() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        _abandon(stream)
    sys.exit(128 + signal.SIGPIPE)


def _abandon(stream: TextIO | None) -> None:
    """Let Python's own flush at the end go nowhere."""
    if stream is not None:
        with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
