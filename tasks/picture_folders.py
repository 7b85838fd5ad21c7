"""What folders of pictures are: classes, noisy and clean pairs, or masks of other pictures."""

from collections.abc import Sequence
from pathlib import Path

from tasks.file_names import CLEAN, NAMED, PICTURES, WORDS, words_of
from tasks.formats.errors import DataError

INPUTS = {"input", "inputs", "degraded", "corrupted", "distorted", "lq"}
"""Names of folders that hold noisy images where clean ones lie beside them."""
MASKS = {"mask", "masks", "segmentation", "segmentations", "annotations", "trimaps"}
"""Names of folders whose pictures say what is where in those of the same name beside them."""
MOST_LISTED = 10


def is_noisy(folder: Path) -> bool:
    """Return whether a folder is called noisy, or input beside one of clean images."""
    words = words_of(folder)
    if words & WORDS["noisy"]:
        return True
    return bool(words & INPUTS) and folder.is_dir() and any(
        words_of(one) & CLEAN for one in folder.parent.iterdir() if one.is_dir()
    )  # fmt: skip


def refuse_masks(folder: Path, folders: Sequence[Path]) -> None:
    """Refuse pictures of which some are masks of the others, which would become a class.

    Args:
        folder: The user's.
        folders: Those in it.

    Raises:
        DataError: If two hold pictures of the same names, and one is called masks.
    """
    shown = sorted(one for one in folders if has_pictures(one))
    masks = [one for one in shown if words_of(one) & MASKS]
    if len(shown) != 2 or len(masks) != 1:
        return
    (images,) = (one for one in shown if one != masks[0])
    if {one.stem for one in masks[0].iterdir()} <= {one.stem for one in images.iterdir()}:
        raise DataError(
            f"{folder}: the pictures in {masks[0].name} are called like those in {images.name}, so "
            "they are masks of them and no class of images.",
            f"Move {masks[0].name} away.",
        )


def classes_around(folder: Path, paths: list[Path]) -> dict[str, Path] | None:
    """Return all folders as classes where the only one with a name of a role has others beside it:
    `valid` beside `invalid`, or `clean` beside `dirty`; None if it has not.

    Raises:
        DataError: If it may as well be what it is called, as `train` beside `car` and `ship`.
    """
    others = [
        one for one in folder.iterdir()
        if one.is_dir() and not words_of(one) & NAMED and not one.name.startswith((".", "__"))
        and has_pictures(one)
    ]  # fmt: skip
    if len(paths) > 1 or not paths[0].is_dir() or not others or not has_pictures(paths[0]):
        return None
    only, words = paths[0], words_of(paths[0])
    pairs = any(_names_in(only) == _names_in(one) for one in others)
    if (words & CLEAN or is_noisy(only)) and pairs:
        return None
    if words & (WORDS["train"] | WORDS["test"]):
        beside = ", ".join(sorted(one.name for one in others)[:MOST_LISTED])
        raise DataError(
            f"{folder}: pictures are in {only.name} and in {beside}. Are these classes, or does "
            f"{only.name} say which images are for training or testing?",
            f"For classes, rename {only.name}, e.g. to {only.name}s; otherwise give it alone, "
            f"--data {only}.",
        )
    return {"data": folder}


def class_folders(folder: Path) -> list[Path]:
    """Return the folders that have pictures in them, if there are several and none has a role."""
    folders = [one for one in folder.iterdir() if one.is_dir() and not words_of(one) & NAMED]
    found = sorted(
        one for one in folders if not one.name.startswith((".", "__")) and has_pictures(one)
    )
    return found if len(found) > 1 else []


def _names_in(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def has_pictures(folder: Path) -> bool:
    """Tell whether pictures lie in a folder itself."""
    return any(one.suffix.lower() in PICTURES for one in folder.iterdir())


def has_classes(folder: Path) -> bool:
    """Tell whether pictures lie in a folder of this folder."""
    return any(has_pictures(each) for each in folder.iterdir() if each.is_dir())
