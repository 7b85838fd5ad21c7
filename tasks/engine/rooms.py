"""The folders of a store, and whatever else may stand in their places.

People copy, link, move and unpack stores. Where a folder or file of ours belongs, something else is
moved to ROOT/aside, since it may be somebody's only copy; artifacts, which can be computed again,
are deleted.
"""

import contextlib
import errno
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from .errors import NotWritableError, PlaceError
from .handles import sync
from .logs import run_logger

ASIDE = "aside"
MARKER = ".artifact-store"
"""File that says that a folder is a store: nothing is ever removed from one that is none."""


def check_root(root: Path) -> None:
    """Refuse a root that is no folder, or that lies behind something that is none.

    Raises:
        PlaceError, NotWritableError: If no folder can be there.
    """
    for place in (root, *root.parents):
        if os.path.lexists(place):
            try:
                if place.is_dir():
                    return
            except OSError as error:
                raise NotWritableError(f"{place}: cannot be opened ({error.strerror}).") from error
            link = "a dangling link" if place.is_symlink() else "a file"
            raise PlaceError(f"{place}: expected a folder, found {link}.")


def room(root: Path, name: str) -> Path:
    """Return a folder of the store, made if it is missing.

    A link to a folder is as good as a folder; whatever else stands there is moved aside.
    """
    folder = root / name
    root.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(root / MARKER):
        (root / MARKER).touch()
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:  # something that is no folder, or leads to none
        move_aside(root, folder)
        folder.mkdir(exist_ok=True)
    return folder


def move_aside(root: Path, path: Path) -> None:
    """Move what stands at `path` into ROOT/aside, under a name that is free there, and say so."""
    number = 1
    while os.path.lexists(target := _aside(root) / f"{path.name}-{number}"):
        number += 1
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        rename(path, target)
        run_logger().warning("%s does not belong there; it was moved to %s.", path, target)


def _aside(root: Path) -> Path:
    folder = root / ASIDE
    if os.path.lexists(folder) and not folder.is_dir():
        hidden = root / f".{ASIDE}"
        folder.rename(hidden)
        folder.mkdir()
        hidden.rename(folder / f"{ASIDE}-1")
    folder.mkdir(exist_ok=True)
    return folder


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted; nothing if there is no such folder.

    Raises:
        OSError: If it cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return []
        raise


def is_plain(path: Path, *, folder: bool = False) -> bool:
    """Return whether a file, or a folder, itself stands at `path`, and no link to one."""
    return not path.is_symlink() and (path.is_dir() if folder else path.is_file())


def discard(root: Path, path: Path) -> None:
    """Take whatever stands at `path` out of sight at once, then delete it."""
    if os.path.lexists(path):
        trash = new_trash(root)
        delete(hide(path, trash))
        delete(trash)


def new_trash(root: Path) -> Path:
    """Return an empty folder for what is about to be deleted."""
    return Path(tempfile.mkdtemp(prefix="trash-", dir=room(root, "tmp")))


def hide(path: Path, trash: Path) -> Path:
    """Move `path` out of sight, all at once; return where it is now."""
    if is_plain(path, folder=True):
        with contextlib.suppress(OSError):
            path.chmod(0o755)  # else a folder without permission could not be moved
    hidden = trash / uuid.uuid4().hex
    try:
        path.rename(hidden)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Somebody moved this folder to another disk: hidden beside itself, it stays on that disk
        hidden = path.with_name(f".{path.name}.{trash.name}")
        path.rename(hidden)
    return hidden


def delete(path: Path) -> None:
    """Delete a file, a link or a folder, even one without permissions."""
    if not is_plain(path, folder=True):
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        path.chmod(0o700)
        for folder, names, _ in os.walk(path):
            for inner in (Path(folder, name) for name in names):
                if not inner.is_symlink():
                    inner.chmod(0o700)
        shutil.rmtree(path)


def rename(path: Path, target: Path) -> None:
    """Give a file or folder its final name, all at once, on another disk too."""
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_name(f".{target.name}.draft")
        delete(draft)
        if is_plain(path, folder=True):
            shutil.copytree(path, draft, symlinks=True)
        else:
            shutil.copy2(path, draft, follow_symlinks=False)
        for copied in (draft, *draft.rglob("*")):
            if is_plain(copied) or is_plain(copied, folder=True):
                sync(copied)
        draft.rename(target)
        delete(path)
    sync(target.parent)
