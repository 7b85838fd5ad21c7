"""Waiting for what another process holds: for whom, since when, and how not to wait.

The kernel's lock alone decides who holds something. What the holder writes into the lock's file is
for people, and is shown only while the lock is held and its process lives.
"""

import contextlib
import datetime
import getpass
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

from prefect.runtime import flow_run, task_run
from pydantic import BaseModel, Field, ValidationError

T = TypeVar("T")
FIRST_SECONDS = 1
"""Seconds of waiting before the first line about it."""
NOTICE_SECONDS = 10
"""Seconds between two lines."""
LONGEST = 2000
"""Bytes of a holder's note that are read: in a shared folder, anybody may have written it."""

Text = Annotated[str, Field(max_length=200)]


class _Note(BaseModel):
    """What the holder of a lock writes about itself."""

    run: Text
    step: Text
    process: Annotated[int, Field(ge=1)]
    user: Text
    host: Text
    since: datetime.datetime

    def alive(self) -> bool:
        """Return whether the process may still be there; on another machine nobody can tell."""
        if self.host != platform.node():
            return True
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # another user's
            return True
        return True

    def __str__(self) -> str:
        run = f"run {self.run}, step {self.step}, " if self.run else ""
        return (
            f"{run}process {self.process} of {self.user}, since {self.since.astimezone():%H:%M:%S}"
        )


def sign(descriptor: int) -> None:
    """Note in the file of a lock that was just taken who holds it, if that can be written."""
    note = _Note(
        run=(flow_run.name or "")[:200],
        step=(task_run.name or "")[:200],
        process=os.getpid(),
        user=_user()[:200],
        host=platform.node()[:200],
        since=datetime.datetime.now(datetime.UTC),
    )
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.model_dump_json().encode(), 0)


def erase(descriptor: int) -> None:
    """Remove the holder's note, before the lock is released."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)


def holder(path: Path) -> str:
    """Return who holds a lock, as its file says; "another process" if it says nothing credible."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "another process"
    try:
        note = _Note.model_validate(json.loads(os.read(descriptor, LONGEST)))
    except (OSError, ValueError, ValidationError):
        return "another process"
    finally:
        os.close(descriptor)
    shown = str(note)
    return shown if note.alive() and shown.isprintable() else "another process"


def wait_for(
    take: Callable[[], T | None],
    notice: Callable[[], str],
    log: Callable[[str], None],
    *,
    pause: float,
    seconds: float | None = None,
) -> T | None:
    """Call `take` until it returns something, for so many seconds at most.

    Args:
        take: Takes what is waited for; returns None while somebody else has it.
        notice: Says what is waited for, for whom, and how not to wait.
        log: Tells people.
        pause: Seconds between two tries.
        seconds: How long to wait; None is as long as it takes.
    """
    started = time.monotonic()
    next_notice = started + FIRST_SECONDS
    while (taken := take()) is None:
        now = time.monotonic()
        if seconds is not None and now - started >= seconds:
            return None
        if now >= next_notice:
            log(notice())
            next_notice = now + NOTICE_SECONDS
        time.sleep(pause)
    return taken


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
