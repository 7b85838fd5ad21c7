"""Locks that end with the process that holds them."""

import multiprocessing
import os
import signal
import time

import pytest

from tasks.engine.locks import is_locked, try_lock, unlock
from tasks.engine.prefect_cache import KernelLocks, address


def hold(key, ready):
    KernelLocks().acquire_lock(key, "holder")
    ready.set()
    time.sleep(60)


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path):
    """Prefect's own file lock would keep every later run waiting for ever."""
    key = address(str(tmp_path), "ingest", "a" * 32)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(key, ready))
    process.start()
    assert ready.wait(60)
    locks = KernelLocks()
    assert locks.is_locked(key)
    assert not locks.acquire_lock(key, "me", acquire_timeout=0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    assert locks.acquire_lock(key, "me", acquire_timeout=5)
    assert locks.is_lock_holder(key, "me")
    assert not locks.is_lock_holder(key, "you")
    with pytest.raises(ValueError, match="does not hold"):
        locks.release_lock(key, "you")
    locks.release_lock(key, "me")
    assert not locks.is_locked(key)
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_lock_is_held_once_and_leaves_no_file(tmp_path):
    """A second try in the same process finds it taken too."""
    path = tmp_path / "locks" / "one"
    held = try_lock(path)

    assert held is not None
    assert try_lock(path) is None
    assert is_locked(path)
    unlock(path, held)
    assert not is_locked(path)
    assert not path.exists()
