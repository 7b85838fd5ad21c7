"""Which of the files in a user's folder are what, by their names."""

import filecmp
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.file_names import NAMED, PICTURES, TABLES, WORDS, ending_of, entries_of, words_of
from tasks.formats.errors import DataError
from tasks.formats.shards import are_shards, roles_of_shards
from tasks.picture_folders import (
    class_folders,
    classes_around,
    has_classes,
    has_pictures,
    pair_in,
    refuse_masks,
)

SPLITS = ("evaluation", "validation", "train", "test")
MOST_LISTED = 10
EXPECTED = (
    "train and test images, and labels if there are any: train_data.csv, train_labels.csv, "
    "test_data.csv, test_labels.csv, in any form that is read; or one file, or a folder of pictures"
)


def find_files(path: Path) -> dict[str, Path]:
    """Say what is what in `path`.

    Args:
        path: A file of images, or a folder: of files whose names say train or test, images or
            labels; of pictures, also in a folder per class; or of `noisy` and `clean` ones.

    Returns:
        Paths by role. Of two sets `train_data` and `test_data`, where they are there also
        `train_labels`, `test_labels`, `train_noisy` and `test_noisy`; of one set that is yet to be
        split `data`, `labels` and `noisy`. A folder of pictures is one path. The files of a table
        that is sharded are `train_data`, `train_data-00001` and on.

    Raises:
        DataError: If there is nothing, something is missing, or a role is there twice without
            being one table.
    """
    if path.is_file():
        return {"data": path}
    if not path.is_dir():
        raise DataError(
            f"{path}: no such file or folder.", "Give the path of the images with --data."
        )
    roles: dict[str, list[Path]] = {}
    for one in sorted(_candidates(path)):
        roles.setdefault(_role(one, one.relative_to(path)), []).append(one)
    if len(roles) == 1 and (whole := classes_around(path, *roles.values())):
        return whole
    roles = {role: _without_copies(paths) for role, paths in _validated(roles).items()}
    if not roles:
        return _pictures(path)
    if not roles.keys() & {"train_data", "test_data"} and (classes := class_folders(path)):
        return _beside_classes(path, roles, classes)
    _require_one_each(path, roles)
    found: dict[str, Path] = {}
    for role, paths in roles.items():
        found |= roles_of_shards(role, paths)
    if "train_data" in found and "test_data" in found:
        return {role: one for role, one in found.items() if role.startswith(("train_", "test_"))}
    if "data" in found and "train_data" not in found and "test_data" not in found:
        return {
            role: one for role, one in found.items() if not role.startswith(("train_", "test_"))
        }
    raise _missing(path, found)


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the files that may be tables, and the folders that are named for a role."""
    pair = pair_in(folder)
    for one in entries_of(folder):
        if one.is_dir():
            if words_of(one) & NAMED or one in pair:
                yield from _inside(one)
        elif may_be_table(one):
            yield one


def may_be_table(file: Path) -> bool:
    """Tell whether a file may hold images or labels in rows, by its name."""
    return ending_of(file) in TABLES and not words_of(file) & WORDS["nothing"]


def _inside(folder: Path) -> Iterator[Path]:
    """Yield a folder of pictures, the folders of noisy and clean ones that it has, or its tables
    if there is nothing else in it."""
    inside = entries_of(folder)
    if pair := pair_in(folder):
        yield from pair
    elif any(one.is_dir() or one.suffix.lower() in PICTURES for one in inside):
        refuse_masks(folder, [one for one in inside if one.is_dir()])
        yield folder
    else:
        yield from [one for one in inside if may_be_table(one)] or [folder]


def _role(path: Path, place: Path) -> str:
    """Return what a file or folder is by its name, and that of the folder around it in the
    user's, in which it has this place."""
    words = words_of(place) | words_of(place.parent)
    kinds = {kind for kind, known in WORDS.items() if words & known}
    split = next((f"{kind}_" for kind in SPLITS if kind in kinds), "")
    if path.is_dir() and (kind := pair_in(path.parent).get(path)):
        return split + kind
    return split + ("noisy" if "noisy" in kinds else "labels" if "labels" in kinds else "data")


def _validated(roles: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Take validation images for the test images where there are none, and for all images where
    there are no others; leave them aside otherwise. Images beside them that are called neither
    train nor test are to train on."""
    if "evaluation_data" in roles and "test_data" not in roles:
        # They are the validation images, before others; with these alone, which would be dropped,
        # they are test images without any to train on
        known = roles.keys() & {"train_data", "data"} or "validation_data" not in roles
        kind = "validation_" if known else "test_"
        kept = {role: paths for role, paths in roles.items() if not role.startswith(kind)}
        roles = {role.replace("evaluation_", kind): kept[role] for role in kept}
    roles = {role: paths for role, paths in roles.items() if not role.startswith("evaluation_")}
    split = "" if "validation_data" in roles else None
    if {"data", "validation_data"} <= roles.keys() and not roles.keys() & {
        "train_data",
        "test_data",
    }:
        roles = {f"train_{role}" if "_" not in role else role: roles[role] for role in roles}
    if "train_data" in roles and "test_data" not in roles:
        split = "test_"
    elif roles.keys() & {"data", "train_data", "test_data"}:
        split = None
    found = {role: paths for role, paths in roles.items() if not role.startswith("validation_")}
    for role, paths in roles.items():
        if role.startswith("validation_") and split is not None:
            found[split + role.removeprefix("validation_")] = paths
    return found


def _without_copies(paths: list[Path]) -> list[Path]:
    """Leave out files that are another one once more, as archives have them in a folder of the
    same name; the one that lies highest stays."""
    kept: list[Path] = []
    for path in sorted(paths, key=lambda path: len(path.parts)):
        if not any(_are_copies(path, other) for other in kept):
            kept.append(path)
    return sorted(kept)


def _are_copies(one: Path, other: Path) -> bool:
    alike = one.is_file() and other.is_file() and words_of(one) == words_of(other)
    return alike and filecmp.cmp(one, other, shallow=False)


def _require_one_each(folder: Path, roles: dict[str, list[Path]]) -> None:
    twice = [paths for paths in roles.values() if not are_shards(paths) and len(paths) > 1]
    if not twice:
        return
    names = "; ".join(" and ".join(str(one.relative_to(folder)) for one in paths[:MOST_LISTED])
                      for paths in twice)  # fmt: skip
    alone = [role for role, paths in roles.items() if role == "data" and len(paths) > 1]
    advice = (
        f"Give one of them with --data FILE, e.g. {roles['data'][0]}." if alone else "Keep one."
    )
    stems = {re.sub(r"[0-9]+", "#", one.name) for one in twice[0]}
    if len(stems) == 1 and "#" in str(stems):
        parts, ending = len(twice[0]), "".join(twice[0][0].suffixes)
        stem = re.sub(r"[^a-zA-Z]*[0-9]+.*", "", twice[0][0].name) or "data"
        advice += (
            f" If they are parts of one table, number them: {stem}-00000-of-{parts:05}{ending}, "
            f"{stem}-00001-of-{parts:05}{ending}, …"
        )
    count = "both" if all(len(paths) == 2 for paths in twice) else "all"
    raise DataError(f"{folder}: {names} {count} exist. Which one is meant?", advice)


def _pictures(folder: Path) -> dict[str, Path]:
    """Return a folder that is one set of pictures, on its own or in folders per class."""
    inside = entries_of(folder)
    folders = [one for one in inside if one.is_dir()]
    refuse_masks(folder, folders)
    if any(one.suffix.lower() in PICTURES for one in inside if one.is_file()):
        return {"data": folder}
    if any(map(has_pictures, folders)):
        return {"data": folder}
    if len(folders) == 1:
        return find_files(folders[0])  # as an archive leaves it that was extracted
    if deeper := sorted(one.name for one in folders if has_classes(one)):
        raise DataError(
            f"{folder}: {' and '.join(deeper[:MOST_LISTED])} each hold folders of pictures. Which "
            "one is meant?",
            f"Give it with --data {folder / deeper[0]}; or call them train and test.",
        )
    raise DataError(f"{folder}: there are no images{_listed(folder)}. Expected {EXPECTED}.",
                    "Give the folder or file of the images with --data.")  # fmt: skip


def _beside_classes(
    folder: Path, roles: dict[str, list[Path]], classes: list[Path]
) -> dict[str, Path]:
    """Return the pictures in folders that a list of labels lies beside; ask about anything else."""
    beside = [path for role, paths in roles.items() if role.endswith("data") for path in paths]
    if not beside:
        return {"data": folder}
    raise DataError(
        f"{folder}: there are {beside[0].name} and pictures in folders ({classes[0].name}, "
        f"{classes[1].name}, …). Which are meant?",
        f"Give the one with --data {beside[0]}, or move it away for the others.",
    )


def _missing(folder: Path, found: dict[str, Path]) -> DataError:
    """Name everything that is missing at once, and what is there."""
    missing = [
        name
        for role, name in (("train_data", "train images"), ("test_data", "test images"))
        if role not in found
    ]
    problem = (
        f"{folder}: {' and '.join(missing)} are missing{_listed(folder)}. Expected {EXPECTED}."
    )
    split = "train" if "train_data" in found else "test" if "test_data" in found else ""
    pictures = [one for one in folder.iterdir() if one.is_dir() and has_pictures(one)]
    if not split and len(pictures) == 1:
        return DataError(
            f"{folder}: labels of the pictures in {pictures[0].name} are in a file. Expected a "
            "folder for each class, or no labels.",
            f"Give the pictures alone: --data {pictures[0]}; or move each into the folder of its "
            "class.",
        )
    if not split:
        return DataError(problem, "Add them, or rename your files like this.")
    images, labels = found[f"{split}_data"], found.get(f"{split}_labels")
    other = "test" if split == "train" else "train"
    advice = f"Add {other}_data.csv, or have these images split into train and test: "
    if labels is None:
        return DataError(problem, f"{advice}--data {images}.")
    names = [re.sub(split, "all", one.name, flags=re.IGNORECASE) for one in (images, labels)]
    return DataError(problem, f"{advice}rename {images.name} to {names[0]} and {labels.name} to "
                     f"{names[1]}.")  # fmt: skip


def _listed(folder: Path) -> str:
    names = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    if not names:
        return ", it is empty"
    more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
    return f"; there are {', '.join(names[:MOST_LISTED])}{more}"
