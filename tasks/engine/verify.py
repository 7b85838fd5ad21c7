"""Verification: is every artifact still what was published?"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from .aliases import aliases
from .errors import NewerError, StoreError
from .files import friendly_os_errors
from .locks import lock_file, try_lock, unlock
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
        artifacts = list(store.artifacts()) if store.exists() else []
        for done, (stage, key) in enumerate(artifacts):
            progress(done, len(artifacts))
            try:
                _verify(store, stage, key)
            except NewerError as error:
                warn(str(error))
            except StoreError:
                if problem := _remove_if_damaged(store, stage, key):
                    damaged.append(Damage(stage, key, problem))
        progress(len(artifacts), len(artifacts))
    return damaged


def verify_aliases(store: Store) -> list[Damage]:
    """Read every decision about an alias again, and what the alias names.

    Nothing is removed: decisions are not computed, and cannot be computed again.
    """
    return [
        Damage("alias", alias.name, problem)
        for alias in aliases(store)
        for problem in alias.problems()
    ]


def _remove_if_damaged(store: Store, stage: str, key: str) -> str:
    """Look again while nobody computes or removes the artifact; return what is wrong, if it is."""
    if (lock := try_lock(path := lock_file(store, stage, key))) is None:
        return ""  # a run is computing it anew
    try:
        if os.path.lexists(store.folder(stage, key)):
            _verify(store, stage, key)
        return ""  # healed, or collected as garbage, meanwhile
    except StoreError as error:
        store.discard(store.folder(stage, key))
        return error.problem
    finally:
        unlock(path, lock)


def _verify(store: Store, stage: str, key: str) -> None:
    for ref in store.find(stage, key).files.values():
        if ref.size > READ_UP_TO:  # the others were read just now
            store.fetch(ref)
