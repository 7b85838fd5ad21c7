"""The user's files: what is what among them, and what is not used."""

from pathlib import Path

from tasks.engine.logs import run_logger
from tasks.find_files import find_files
from tasks.unused_files import unused_files

MOST_LISTED = 10


def find_data(data: Path) -> dict[str, Path]:
    """Say what is what in a file or folder of images, and warn of what is left aside.

    Args:
        data: The user's file or folder.

    Returns:
        Paths by role, as `find_files` does.

    Raises:
        DataError: If something is missing or open.
    """
    found = find_files(data)
    if warning := unused_warning(data, found):
        run_logger().warning(warning)
    return found


def unused_warning(data: Path, found: dict[str, Path]) -> str:
    """Name what is left aside in a folder; empty if that is nothing."""
    names = unused_files(data, found.values())
    if not names:
        return ""
    more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
    return f"Not used in {data}: {', '.join(names[:MOST_LISTED])}{more}."
