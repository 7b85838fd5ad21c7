"""What in a user's folder holds images, but is none of the files that were found."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.file_names import entries_of
from tasks.find_files import may_be_table
from tasks.picture_folders import has_classes, has_pictures


def unused_files(folder: Path, found: Iterable[Path]) -> list[str]:
    """Name what may hold images and is not used, such as `extra` beside `train` and `test`.

    Args:
        folder: The user's; a file has nothing beside it.
        found: What `find_files` has found in it.

    Returns:
        Files and folders by their place in the folder, sorted.
    """
    used = {one.resolve() for one in found}
    if not folder.is_dir():
        return []
    return sorted(one.relative_to(folder).as_posix() for one in _unused(folder, used))


def _unused(folder: Path, used: set[Path]) -> Iterator[Path]:
    if folder.resolve() in used:
        return
    for one in entries_of(folder):
        place = one.resolve()
        if place in used:
            continue
        if any(other.is_relative_to(place) for other in used):
            yield from _unused(one, used)
        elif one.is_dir():
            if has_pictures(one) or has_classes(one) or any(map(may_be_table, one.iterdir())):
                yield one
        elif may_be_table(one):
            yield one
