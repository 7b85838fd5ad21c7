"""How many stages of one kind run at the same time, among all processes that share a folder."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .files import friendly_os_errors
from .locks import shared_lock
from .store import Store
from .waiting import erase, holder, sign, wait_for


@dataclass(frozen=True)
class Limit:
    """A number of slots that processes share."""

    slots: int
    folder: Path | None = None
    """Where the locks of the slots are, for every user; None is the store that a run writes to."""
    advice: str = ""
    """How not to wait."""


@contextlib.contextmanager
def slot(
    name: str, limit: Limit | None, store: Store, log: Callable[[str], None]
) -> Iterator[None]:
    """Wait for a slot of the limit called `name`, and hold it until the block ends.

    A process that is killed frees its slot. Without a limit there is nothing to wait for.

    Raises:
        StoreError: If the folder of the slots cannot be used.
    """
    if limit is None:
        yield
        return
    folder = limit.folder or store.room("locks")
    locks = [folder / f"slot-{name}-{n}" for n in range(limit.slots)]

    def notice() -> str:
        taken = "; ".join(holder(lock) for lock in locks)
        every = "the only slot" if len(locks) == 1 else f"one of {len(locks)} slots"
        return f"Waiting for {every} for {name}: {taken}. {limit.advice}".strip()

    with friendly_os_errors(folder):
        held = wait_for(lambda: _first_free(locks), notice, log, pause=0.5)
    assert held is not None
    sign(held)
    try:
        yield
    finally:
        erase(held)
        os.close(held)


def _first_free(locks: list[Path]) -> int | None:
    for lock in locks:
        if (held := shared_lock(lock)) is not None:
            return held
    return None
