"""Files of the user's own folders that are whole or not there, however a program ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tasks.engine.handles import sync
from tasks.formats.errors import DataError

ENDING = ".part"


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Write a file beside `target`, and give it that name once it is whole.

    The draft, `.NAME.part`, may be there from an earlier try that was killed, and is written anew:
    the kernel's lock on it is free when its process has ended.

    Args:
        target: The file, whose folder is made if it is missing.

    Yields:
        The draft, empty.

    Raises:
        DataError: If another process is writing the same file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}{ENDING}")
    with _locked(draft, target) as file:
        try:
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    sync(target.parent)


def _locked(draft: Path, target: Path) -> BinaryIO:
    """Open a draft that no other process has open."""
    while True:
        file = os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Else what was locked has meanwhile got its final name, or has been deleted
            if draft.exists() and os.path.samestat(draft.stat(), os.fstat(file.fileno())):
                return file
        except BlockingIOError as error:
            file.close()
            raise DataError(
                f"{target}: another process is writing it.", "Wait for it, or give another folder."
            ) from error
        file.close()
