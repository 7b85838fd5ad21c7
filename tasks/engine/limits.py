"""How many stages of one kind run at the same time, among all processes of a machine."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .locks import shared_lock

NOTICE_SECONDS = 600
"""Seconds between two lines that say that a stage is still waiting."""


@dataclass(frozen=True)
class Limit:
    """A number of slots that processes share."""

    slots: int
    lock: Path
    """The lock of slot n is this path with `-n` appended; any user may take it."""


@contextlib.contextmanager
def slot(name: str, limit: Limit | None, log: Callable[[str], None]) -> Iterator[None]:
    """Wait for a slot of the limit called `name`, and hold it until the block ends.

    A process that is killed frees its slot. Without a limit there is nothing to wait for.
    """
    if limit is None:
        yield
        return
    locks = [limit.lock.with_name(f"{limit.lock.name}-{n}") for n in range(limit.slots)]
    next_notice = 0.0
    while (held := _first_free(locks)) is None:
        if time.monotonic() >= next_notice:
            log(f"Waiting for a slot: {limit.slots} of {limit.slots} for {name} are in use.")
            next_notice = time.monotonic() + NOTICE_SECONDS
        time.sleep(0.5)
    try:
        yield
    finally:
        os.close(held)


def _first_free(locks: list[Path]) -> int | None:
    for lock in locks:
        if (held := shared_lock(lock)) is not None:
            return held
    return None
