"""Verification: is every artifact still what was published?"""

from collections.abc import Callable
from dataclasses import dataclass

from .errors import StoreError
from .files import friendly_os_errors
from .store import Store


@dataclass(frozen=True)
class Damage:
    """An artifact that is not what was published."""

    stage: str
    key: str
    problem: str


def verify_store(store: Store, progress: Callable[[int, int], None]) -> list[Damage]:
    """Read every file of every artifact again and compare it with its manifest.

    What is damaged is taken out of the store, so the next run that needs it computes it again.

    Args:
        store: Which store.
        progress: Called with how many artifacts are done and how many there are.

    Returns:
        Every damaged artifact, with what is wrong.
    """
    artifacts = list(store.artifacts())
    damaged = []
    for done, (stage, key) in enumerate(artifacts):
        progress(done, len(artifacts))
        try:
            for ref in store.find(stage, key).files.values():
                store.fetch(ref)
        except StoreError as error:
            damaged.append(Damage(stage, key, error.problem))
            with friendly_os_errors(store.root):
                store.discard(store.folder(stage, key))
    progress(len(artifacts), len(artifacts))
    return damaged
