"""A copy of a finished run outside the store: plain files, checked, all at once."""

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from .errors import DamagedError, EngineError, StoreError
from .files import friendly_os_errors, open_file, sha256_of
from .handles import sync
from .journal import RunRecord, run_folder
from .published import published_files
from .rooms import delete, entries, is_plain
from .store import Store


def save_run(store: Store, record: RunRecord, target: Path) -> Path:
    """Write the folder of a finished run to `target`, without links into the store.

    Returns:
        Where it is.

    Raises:
        DamagedError: If a file is not what the run has published.
        StoreError: If `target` is in the store, is there already, or cannot be written.
    """
    target = target.absolute()
    _require_free(store, target)
    try:
        with friendly_os_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".saving-", dir=target.parent))
            try:
                _copy(store, record, draft)
                draft.chmod(0o755)
                draft.rename(target)
                sync(target.parent)
            finally:
                delete(draft)
    except DamagedError:
        raise
    except EngineError as error:
        raise StoreError(error.problem, "Nothing was saved; give another folder.") from error
    return target


def _require_free(store: Store, target: Path) -> None:
    if target.resolve().is_relative_to(store.root.resolve()):
        raise StoreError(f"{target}: is inside the store.", "Give a folder outside of it.")
    if os.path.lexists(target) and not (is_plain(target, folder=True) and not entries(target)):
        raise StoreError(
            f"{target}: already exists and is not an empty folder.", "Give another folder."
        )


def _copy(store: Store, record: RunRecord, draft: Path) -> None:
    """Copy what the run has published, and what was written into its folder beside that."""
    folder = run_folder(store, record.name)
    for place, entry in published_files(store, record).items():
        inside = PurePosixPath(place)
        if inside.is_absolute() or ".." in inside.parts:
            raise DamagedError(f"{folder}: names a file outside of it, {place}.")
        copy = draft / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(folder / place, copy)
        if sha256_of(copy) != entry.sha256:
            raise DamagedError(f"{folder / place}: changed after it was published.")
    for path in entries(folder):
        if is_plain(path):
            _copy_file(path, draft / path.name)
    for path in (*draft.rglob("*"), draft):
        sync(path)


def _copy_file(path: Path, copy: Path) -> None:
    try:
        source = open_file(path)
    except OSError as error:
        raise DamagedError(f"{path}: missing or not readable ({error.strerror}).") from error
    with source, copy.open("wb") as target:
        shutil.copyfileobj(source, target)
