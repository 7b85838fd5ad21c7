"""Which of the files in a user's folder are the images and the labels."""

from pathlib import Path

from tasks.formats.errors import DataError

ROLES = {
    "train_data": ("train_data.csv",),
    "train_labels": ("train_labels.csv", "train_lables.csv"),
    "test_data": ("test_data.csv",),
    "test_labels": ("test_labels.csv", "test_lables.csv"),
}
"""The names that a file may have, each also with `.gz` appended."""


def find_files(folder: Path) -> dict[str, Path]:
    """Find the four files in `folder`.

    Returns:
        Paths by role: `train_data`, `train_labels`, `test_data`, `test_labels`.

    Raises:
        DataError: If one is missing, or is there under two names.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Give the folder of the CSV files with --data.")
    return {role: _find(folder, names) for role, names in ROLES.items()}


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    every = [name + ending for name in names for ending in ("", ".gz")]
    found = [name for name in every if (folder / name).is_file()]
    if not found:
        raise DataError(f"{folder}: none of {', '.join(every)} is there. Expected one of them.")
    if len(found) > 1:
        raise DataError(
            f"{folder}: {' and '.join(found)} are both there. Which one is meant? Keep one."
        )
    return folder / found[0]
