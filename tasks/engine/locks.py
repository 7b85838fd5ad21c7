"""Locks held by the kernel (`flock`): a process that dies, however it dies, holds none.

They work between the processes of one machine. On a file system shared by machines that does not
support them, two machines may compute the same artifact; both publish the same bytes.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from .store import Store


def lock_file(store: Store, stage: str, key: str) -> Path:
    """Return the lock of one computation."""
    folder = store.folder(stage, key)
    return store.root / "locks" / f"{folder.parent.name}-{folder.name}"


def try_lock(path: Path) -> int | None:
    """Lock the file at `path` for this process alone.

    Returns:
        The open file descriptor that holds the lock, or None if another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    # A holder deletes its file before it releases it: the lock of a deleted file is worth nothing
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    os.close(descriptor)
    return None


def unlock(path: Path, descriptor: int) -> None:
    """Release a lock from `try_lock`, and leave no file behind."""
    path.unlink(missing_ok=True)
    os.close(descriptor)


def shared_lock(path: Path) -> int | None:
    """Lock a file that stays and that any user may lock, in a folder such as `/tmp`.

    Returns:
        The open file descriptor that holds the lock, or None if another process has it.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another process was faster
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o444)
            os.fchmod(descriptor, 0o444)  # whatever the user's umask
            os.close(descriptor)
        descriptor = os.open(path, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Return whether a living process holds the lock at `path`."""
    if not path.exists():
        return False
    descriptor = try_lock(path)
    if descriptor is None:
        return path.exists()
    unlock(path, descriptor)
    return False


@contextlib.contextmanager
def marking(store: Store, *, alone: bool) -> Iterator[None]:
    """Hold the store's own lock for a moment.

    Runs share it while they record which artifact they are about to use; garbage collection holds
    it alone, from reading what is in use until the rest is out of sight.
    """
    path = store.root / "locks" / "store"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
