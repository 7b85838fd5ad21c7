"""Files of the engine's own: digests, JSON, and errors of the system in words."""

import contextlib
import errno
import functools
import hashlib
import io
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import DiskFullError, FileLimitError, NotWritableError, PlaceError, StoreError
from .handles import ArtifactRef

SETTLED_SECONDS = 1
"""Age from which a file's times tell it from any later content."""
IN_THE_WAY = frozenset(
    {
        errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EEXIST,
        errno.ENOTEMPTY, errno.EINVAL, errno.ENXIO, errno.EXDEV,
    }
)  # fmt: skip
"""What the system says where something else stands than was expected."""


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits.

    Raises:
        OSError: If it cannot be read, or is no file.
    """
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_now(path: Path) -> str:
    """Return the sha256 of a file; one that this process has read already is not read again.

    A file counts as the one read if its inode, size and times are the same. Right after a change
    the times say too little, so it is always read.
    """
    found = path.stat()
    if time.time() - found.st_ctime < SETTLED_SECONDS:
        return sha256_of(path)
    return _sha256_then(path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@functools.lru_cache(maxsize=4096)
def _sha256_then(path: Path, inode: int, size: int, modified: int, changed: int) -> str:
    return sha256_of(path)


def read_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: If it cannot be read, or is no file.
    """
    with open_file(path) as file:
        return file.read()


def open_file(path: Path) -> io.BufferedReader:
    """Open a file to read it; a pipe, which could keep us waiting for ever, is refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a file", str(path))
    return os.fdopen(descriptor, "rb")


def content_digest(path: Path) -> str:
    """Return the sha256 of a file, or one of all names and contents below a folder.

    Raises:
        OSError: If something cannot be read, or is neither file nor folder.
    """
    if not path.is_dir():
        return sha256_of(path)
    found = hashlib.sha256()
    for one in files_below(path):
        found.update(os.fsencode(one.relative_to(path)) + b"\0" + sha256_of(one).encode())
    return found.hexdigest()


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, through links, in the order of their names."""
    entered = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        entered.add(os.path.realpath(root))
        folders[:] = sorted(
            one for one in folders if os.path.realpath(Path(root) / one) not in entered
        )
        yield from (Path(root) / name for name in sorted(names))


def reference(path: Path) -> ArtifactRef:
    """Describe the file or folder at `path` as it is now."""
    path = path.absolute()
    files = files_below(path) if path.is_dir() else [path]
    size = sum(one.stat().st_size for one in files)
    return ArtifactRef(uri=path.as_uri(), sha256=content_digest(path), size=size)


def json_digest(value: Any, *, sort_keys: bool) -> str:
    """Return the sha256 of a JSON value; unless they are sorted, the order of its keys counts."""
    text = json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(value: Mapping[str, Any]) -> bytes:
    """Return `value` as JSON for people to read: sorted, indented, the same bytes every time."""
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


@contextlib.contextmanager
def friendly_os_errors(root: Path) -> Iterator[None]:
    """Turn the system's errors below `root`, and of a full disk, into ones that say what to do.

    Raises:
        StoreError: Instead of the corresponding OSError.
    """
    try:
        yield
    except OSError as error:
        friendly = _in_words(error, root)
        if friendly is None:
            raise
        raise friendly from error


def _in_words(error: OSError, root: Path) -> StoreError | None:
    """Return what an error of the system means for the store; None if it is not about it."""
    place = error.filename if isinstance(error.filename, str | os.PathLike) else None
    reason, text = error.strerror or "", str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or _says(text, errno.ENOSPC):
        free = f"{shutil.disk_usage(_existing(root)).free / 1e6:,.1f} MB free"
        return DiskFullError(
            f"{place or root}: the disk is full ({reason if 'MB' in reason else free}). Nothing "
            "incomplete was published."
        )
    if error.errno == errno.EFBIG or _says(text, errno.EFBIG):
        return FileLimitError(f"{place or root}: a file exceeds the size limit of this user.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return NotWritableError(f"{place or root}: cannot be written to ({reason}).")
    if place is None or not Path(place).is_relative_to(root):
        return None
    if error.errno in IN_THE_WAY:
        long = error.errno == errno.ENAMETOOLONG
        problem = "the name is too long" if long else "something else is there"
        advice = "Use a shorter one." if long else None
        return PlaceError(f"{place}: {problem} ({reason}).", advice)
    return StoreError(f"{place}: {reason or text}.", "Run again.")


def _says(text: str, number: int) -> bool:
    """Return whether a library that hides the number of an error has put it into words."""
    return os.strerror(number) in text


def _existing(path: Path) -> Path:
    """Return the nearest folder above `path` that exists."""
    while not path.exists():
        path = path.parent
    return path
