"""All that a stage may touch of the engine: what it reads, where it writes, and its mark.

A stage's cache key covers the code that the stage can reach. This module imports nothing of the
engine, so the rest of the engine is out of reach: it cannot change what a stage writes, and no edit
of it recomputes anything.
"""

import errno
import os
import pkgutil
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload
from urllib.parse import unquote_to_bytes, urlsplit

F = TypeVar("F", bound=Callable[..., None])
Report = Callable[[str, float | None], None]
"""Receives a line for people, or none (""), and, for long work, the share that is done, 0 to 1."""


@dataclass(frozen=True)
class ArtifactRef:
    """One file, by content."""

    uri: str
    """Where it is; a stage only ever gets files of this machine."""
    sha256: str
    """64 hexadecimal digits."""
    size: int
    """Bytes."""

    @property
    def path(self) -> Path:
        """The file itself.

        Raises:
            ValueError: If the URI does not name a file of this machine.
        """
        parts = urlsplit(self.uri)
        if parts.scheme != "file" or parts.netloc:
            raise ValueError(f"{self.uri}: expected a file:// URI of this machine.")
        return Path(os.fsdecode(unquote_to_bytes(parts.path)))


@dataclass(frozen=True)
class FunctionRef:
    """A function at the top level of a module of the project, imported only when a stage calls it.

    As an input of a stage it counts with all the code that it reaches.
    """

    name: str
    """`package.module:function`"""

    def load(self) -> Callable[..., Any]:
        """Import the module and return the function."""
        loaded: Callable[..., Any] = pkgutil.resolve_name(self.name)
        return loaded


class Output:
    """Where a stage writes, and how it tells people what it does."""

    def __init__(
        self, folder: Path, scratch: Path | None = None, report: Report | None = None
    ) -> None:
        """Make `folder`; without an engine, `Output(folder)` is all that a stage needs."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        """Files put here are published when the stage returns, or deleted if it fails."""
        self.scratch = scratch or folder.with_name(f"{folder.name}.scratch")
        """Files put here survive interruptions until the stage has finished."""
        self._report = report or (lambda line, share: None)

    def log(self, line: str) -> None:
        """Tell people something in one line."""
        self._report(line, None)

    def progress(self, share: float, line: str = "") -> None:
        """Say how far the stage is: `share` runs from 0 to 1; without a line, only bars move."""
        self._report(line, share)

    def require_space(self, size: int) -> None:
        """Refuse to start writing `size` bytes where they cannot fit.

        Raises:
            OSError: ENOSPC, if the disk has less free space.
        """
        free = shutil.disk_usage(self.folder).free
        if free < size:
            reason = f"needs {size / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free"
            raise OSError(errno.ENOSPC, reason, str(self.folder))


@dataclass(frozen=True)
class StageMark:
    """What `@stage` records about a function."""

    name: str
    limit: str | None
    """Name of a limit on how many such stages run at the same time."""


@overload
def stage(function: F, /) -> F: ...
@overload
def stage(*, limit: str | None = None) -> Callable[[F], F]: ...
def stage(function: F | None = None, /, *, limit: str | None = None) -> F | Callable[[F], F]:
    """Mark a function as a stage; the function itself stays as it is.

    A stage is a function `(output, **inputs) -> None` at the top level of a module. Its inputs are
    file and function references, settings models, plain JSON values, and mappings of these. They,
    with the code that it can reach, are all that may decide what it writes.

    Args:
        function: The stage.
        limit: Name of a limit that the stage counts against, e.g. "training".
    """

    def marked(function: F) -> F:
        function.__stage__ = StageMark(function.__name__, limit)  # type: ignore[attr-defined]
        return function

    return marked if function is None else marked(function)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its name never shows less than the whole content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # only there if one of the above failed
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
