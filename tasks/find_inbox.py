"""What is in an inbox: every entry is a set of images of its own."""

from collections.abc import Iterable
from pathlib import Path

from tasks.find_files import find_files
from tasks.formats.errors import DataError

UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
"""Endings of files that are still being written, as programs that copy call them."""


def find_inbox(folder: Path) -> dict[str, dict[str, Path]]:
    """Say what is what in each entry of an inbox.

    Args:
        folder: Its entries are files or folders, each in any form that `find_files` takes. Those
            that begin with a dot, or end as files do that are being written, are left out.

    Returns:
        By the name of the entry, sorted: its paths by role.

    Raises:
        DataError: If there is no such folder, or an entry is nothing that can be read.
    """
    try:
        return _entries(folder)
    except OSError as error:  # an inbox is often on a disk of others
        raise DataError(
            f"{error.filename or folder}: cannot be read ({error.strerror}).",
            "Check that the disk is reachable and the folder is readable, and run again.",
        ) from error


def require_apart(inbox: Path, data: Iterable[Path]) -> None:
    """Refuse an inbox in a folder of pictures, all of which are data already.

    Args:
        inbox: The folder.
        data: The files and folders of the data.

    Raises:
        DataError: If it lies in one of these folders.
    """
    for path in data:
        if path.is_dir() and inbox.resolve().is_relative_to(path.resolve()):
            raise DataError(
                f"{inbox}: the inbox lies in {path}, all pictures in which are data already, so "
                "that its images would count twice.",
                "Move it out of that folder, and give the new place with --inbox.",
            )


def _entries(folder: Path) -> dict[str, dict[str, Path]]:
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder.", "Create it, or give another one with --inbox."
        )
    found = sorted(folder.iterdir())
    return {
        one.name: _files_of(one)
        for one in found
        if one.name[0] != "." and not one.name.endswith(UNFINISHED)
    }


def _files_of(entry: Path) -> dict[str, Path]:
    advice = "Correct it, or take it out of the inbox."
    text = entry.name.encode(errors="replace").decode()
    if text != entry.name:  # names are written down, which bytes that are no text cannot be
        raise DataError(f"{entry.parent / text}: expected a name in UTF-8.", advice)
    try:
        return find_files(entry)
    except DataError as error:  # whose advice is about --data
        raise DataError(error.problem, advice) from error
