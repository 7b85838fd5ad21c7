"""Locks held by the kernel (`flock`): a process that dies, however it dies, holds none.

They work between the processes of one machine. On a file system shared by machines that does not
support them, two machines may compute the same artifact; both publish the same bytes.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .files import friendly_os_errors
from .rooms import move_aside, room
from .store import Store


def lock_file(store: Store, stage: str, key: str) -> Path:
    """Return the lock of one computation."""
    folder = store.folder(stage, key)
    return store.root / "locks" / f"{folder.parent.name}-{folder.name}"


def try_lock(path: Path) -> int | None:
    """Lock the file at `path`, in the store's folder of locks, for this process alone.

    Returns:
        The open file descriptor that holds the lock, or None if another process has it.
    """
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    # A holder deletes its file before it releases it: the lock of a deleted file is worth nothing
    if _is_at(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _opened(path: Path) -> int:
    """Open a lock file to hold it; whatever else stands in its place is moved aside."""
    root = path.parent.parent
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with friendly_os_errors(root):
        room(root, path.parent.name)
        try:
            descriptor = os.open(path, flags, 0o644)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
        except OSError as error:  # a folder, a link, a socket
            if error.errno not in (errno.EISDIR, errno.ELOOP, errno.ENXIO):
                raise
        move_aside(root, path)
        return os.open(path, flags, 0o644)


def _is_at(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        return path.lstat().st_ino == os.fstat(descriptor).st_ino
    return False


def unlock(path: Path, descriptor: int) -> None:
    """Release a lock from `try_lock`, and leave no file behind."""
    with contextlib.suppress(OSError):
        if _is_at(path, descriptor):
            path.unlink()
    os.close(descriptor)


def shared_lock(path: Path) -> int | None:
    """Lock a file that stays and that any user may lock, in a folder such as `/tmp`.

    Returns:
        The open file descriptor that holds the lock, or None if another process has it.
    """
    descriptor = _opened_shared(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _opened_shared(path: Path) -> int:
    """Open a lock file of every user, to lock it and, if that is allowed, to write into it."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | flags)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another process was faster
            # Never together with an existing file: Linux refuses that in a folder such as /tmp
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o666)
            os.fchmod(descriptor, 0o666)  # whatever the user's umask
            return descriptor
        return os.open(path, os.O_RDWR | flags)


def is_locked(path: Path) -> bool:
    """Return whether a living process holds the lock at `path`; nothing is written."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        return True  # another user's: nobody here can tell
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _is_at(path, descriptor)
    except OSError:  # something that has no locks
        return False
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def marking(store: Store, *, alone: bool) -> Iterator[None]:
    """Hold the store's own lock for a moment.

    Runs share it while they record which artifact they are about to use; garbage collection holds
    it alone, from reading what is in use until the rest is out of sight.
    """
    descriptor = _opened(store.root / "locks" / "store")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
