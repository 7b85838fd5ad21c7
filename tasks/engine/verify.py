"""Verification: is every artifact still what was published?"""

from collections.abc import Callable
from dataclasses import dataclass

from .errors import NewerError, StoreError
from .files import friendly_os_errors
from .logs import Warn, log_warning
from .store import READ_UP_TO, Store


@dataclass(frozen=True)
class Damage:
    """An artifact that is not what was published."""

    stage: str
    key: str
    problem: str


def verify_store(
    store: Store, progress: Callable[[int, int], None], warn: Warn = log_warning
) -> list[Damage]:
    """Read every file of every artifact again and compare it with its manifest.

    What is damaged is taken out of the store, so the next run that needs it computes it again.
    What a newer version wrote is left alone.

    Args:
        store: Which store.
        progress: Called with how many artifacts are done and how many there are.
        warn: Called with what could not be verified.

    Returns:
        Every damaged artifact, with what is wrong.
    """
    damaged = []
    with friendly_os_errors(store.root):
        artifacts = list(store.artifacts())
        for done, (stage, key) in enumerate(artifacts):
            progress(done, len(artifacts))
            try:
                _verify(store, stage, key)
            except NewerError as error:
                warn(str(error))
            except StoreError as error:
                damaged.append(Damage(stage, key, error.problem))
                store.discard(store.folder(stage, key))
        progress(len(artifacts), len(artifacts))
    return damaged


def _verify(store: Store, stage: str, key: str) -> None:
    for ref in store.find(stage, key).files.values():
        if ref.size > READ_UP_TO:  # the others were read just now
            store.fetch(ref)
