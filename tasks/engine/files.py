"""Files of the engine's own: digests, JSON, and errors of the system in words."""

import contextlib
import errno
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import DiskFullError, NotWritableError
from .handles import ArtifactRef


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reference(path: Path) -> ArtifactRef:
    """Describe the file at `path` as it is now."""
    path = path.absolute()
    return ArtifactRef(uri=path.as_uri(), sha256=sha256_of(path), size=path.stat().st_size)


def json_digest(value: Any, *, sort_keys: bool) -> str:
    """Return the sha256 of a JSON value; unless they are sorted, the order of its keys counts."""
    text = json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(value: Mapping[str, Any]) -> bytes:
    """Return `value` as JSON for people to read: sorted, indented, the same bytes every time."""
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


@contextlib.contextmanager
def friendly_os_errors(root: Path) -> Iterator[None]:
    """Turn the system's write errors below `root` into ones that say what to do.

    Raises:
        DiskFullError, NotWritableError: Instead of the corresponding OSError.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or root
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = f"{shutil.disk_usage(_existing(root)).free / 1e6:,.1f} MB free"
            reason = error.strerror or ""
            raise DiskFullError(
                f"{place}: the disk is full ({reason if 'MB' in reason else free}). Nothing "
                "incomplete was published."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise NotWritableError(f"{place}: cannot be written to ({error.strerror}).") from error
        raise


def _existing(path: Path) -> Path:
    """Return the nearest folder above `path` that exists."""
    while not path.exists():
        path = path.parent
    return path
