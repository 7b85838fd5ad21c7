"""What folders of pictures are: classes, noisy and clean pairs, or masks of other pictures."""

from collections.abc import Sequence
from pathlib import Path

from tasks.file_names import CLEAN, NAMED, PICTURES, WORDS, entries_of, words_of
from tasks.formats.errors import DataError

INPUTS = WORDS["noisy"] | {"input", "inputs", "degraded", "corrupted", "distorted", "lq"}
TARGETS = CLEAN | {"target", "targets", "output", "outputs", "original", "originals", "hq"}
"""Names of folders that hold noisy and clean images where they lie beside each other."""
MASKS = {"mask", "masks", "segmentation", "segmentations", "annotations", "trimaps"}
"""Names of folders whose pictures say what is where in those of the same name beside them."""
MOST_LISTED = 10


def pair_in(folder: Path) -> dict[Path, str]:
    """Return the folders of noisy and clean images in a folder, and what they are: "noisy" and
    "data"; nothing if there is no such pair."""
    folders = [one for one in entries_of(folder) if one.is_dir()]
    noisy = [one for one in folders if words_of(one) & INPUTS]
    clean = [one for one in folders if words_of(one) & TARGETS]
    if len(noisy) != 1 or len(clean) != 1 or noisy == clean:
        return {}
    both = (*noisy, *clean)
    hold_pictures = all(has_pictures(one) or has_classes(one) for one in both)
    return dict(zip(both, ("noisy", "data"), strict=True)) if hold_pictures else {}


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
    stems = [{one.stem for one in each.iterdir()} for each in (masks[0], images)]
    if 2 * len(stems[0] & stems[1]) > len(stems[0]):
        name = masks[0].name
        raise DataError(
            f"{folder}: pictures in {name} are called like those in {images.name}, so they seem to "
            "be masks of them and no class of images.",
            f"Move {name} away; or, if it is a class, rename it, e.g. to {name}1.",
        )


def classes_around(folder: Path, paths: list[Path]) -> dict[str, Path] | None:
    """Return all folders as classes where the only one with a name of a role has others beside it:
    `valid` beside `invalid`, or `clean` beside `dirty`; None if it has not.

    Raises:
        DataError: If it may as well be what it is called, as `train` beside `car` and `ship`.
    """
    others = [
        one for one in entries_of(folder)
        if one.is_dir() and not words_of(one) & NAMED and has_pictures(one)
    ]  # fmt: skip
    if len(paths) > 1 or not paths[0].is_dir() or not others or not has_pictures(paths[0]):
        return None
    only, words = paths[0], words_of(paths[0])
    pairs = any(_names_in(only) == _names_in(one) for one in others)
    if words & (CLEAN | WORDS["noisy"]) and pairs:
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
    pair = pair_in(folder)
    found = sorted(
        one for one in entries_of(folder)
        if one.is_dir() and not words_of(one) & NAMED and one not in pair and has_pictures(one)
    )  # fmt: skip
    return found if len(found) > 1 else []


def _names_in(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def has_pictures(folder: Path) -> bool:
    """Tell whether pictures lie in a folder itself."""
    return any(one.suffix.lower() in PICTURES for one in folder.iterdir())


def has_classes(folder: Path) -> bool:
    """Tell whether pictures lie in a folder of this folder."""
    return any(has_pictures(each) for each in folder.iterdir() if each.is_dir())
