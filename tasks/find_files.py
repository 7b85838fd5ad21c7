"""Which of the files in a user's folder are what, by their names alone."""

import re
from collections.abc import Iterator
from pathlib import Path

from tasks.formats.errors import DataError

WORDS = {
    "train": {"train", "training", "tra"},
    "test": {"test", "testing", "t10k", "tes"},
    "validation": {"val", "valid", "validation", "dev"},
    "labels": {"labels", "lables", "label", "y", "target", "targets", "idx1"},
    "noisy": {"noisy"},
    "nothing": {"readme", "license", "submission", "mapping", "names", "meta", "checksums",
                "requirements", "manifest"},
}  # fmt: skip
"""Words in the name of a file, and what they say that it is."""
GLUED = re.compile(r"^(x|y)(train|test)$|^(train|test)(x|y)$")
"""Names such as `xtrain`."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
TABLES = frozenset(
    (
        "", ".csv", ".tsv", ".txt", ".dat", ".data", ".npy", ".npz", ".parquet", ".arff", ".idx",
        ".pq", ".ubyte", ".mat", ".h5", ".hdf5", ".pkl", ".pickle", ".json", ".xlsx", ".xls",
        ".tra", ".tes", ".feather", ".tar", ".tgz", ".rar", ".7z", *COMPRESSED,
    )
)  # fmt: skip
"""Endings of files that may hold images, or that somebody takes for such."""
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
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
        split `data`, `labels` and `noisy`. A folder of pictures is one path.

    Raises:
        DataError: If there is nothing, something is missing, or a role is there twice.
    """
    if path.is_file():
        return {"data": path}
    if not path.is_dir():
        raise DataError(
            f"{path}: no such file or folder.", "Give the path of the images with --data."
        )
    roles: dict[str, list[Path]] = {}
    for one in sorted(_candidates(path)):
        if (role := _role(one.relative_to(path))) is not None:
            roles.setdefault(role, []).append(one)
    if not roles:
        return _pictures(path)
    _require_one_each(path, roles)
    found = {role: paths[0] for role, paths in roles.items()}
    if "train_data" in found and "test_data" in found:
        return {role: one for role, one in found.items() if role.startswith(("train_", "test_"))}
    if "data" in found and "train_data" not in found and "test_data" not in found:
        return {role: one for role, one in found.items() if role in ("data", "labels", "noisy")}
    raise _missing(path, found)


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the files that may be tables, and the folders that are named for a role."""
    for one in folder.iterdir():
        if one.name.startswith((".", "__")):
            continue
        if one.is_dir():
            if words_of(one) & {*WORDS["train"], *WORDS["test"], *WORDS["noisy"], "clean"}:
                yield from _inside(one)
        elif ending_of(one) in TABLES and not words_of(one) & WORDS["nothing"]:
            yield one


def _inside(folder: Path) -> Iterator[Path]:
    """Yield a folder of pictures, or the folders of noisy and clean ones that it has."""
    pairs = [one for one in folder.iterdir() if one.name.lower() in ("noisy", "clean")]
    yield from pairs if len(pairs) == 2 else [folder]


def _role(path: Path) -> str | None:
    """Return what a file or folder is by its name, and that of the folder around it in the user's;
    None for validation images, which are unused."""
    words = words_of(path) | words_of(path.parent)
    kinds = {kind for kind, known in WORDS.items() if words & known}
    if "validation" in kinds:
        return None
    split = "train_" if "train" in kinds else "test_" if "test" in kinds else ""
    return split + ("noisy" if "noisy" in kinds else "labels" if "labels" in kinds else "data")


def words_of(path: Path) -> set[str]:
    """Return the words of a file's name, in small letters."""
    words = set(re.split(r"[^a-z0-9]+", path.name.lower()))
    for word in tuple(words):
        if glued := GLUED.match(word):
            words |= {part for part in glued.groups() if part}
    return words


def ending_of(path: Path) -> str:
    """Return the ending of a name, without that of its compression; nothing if it is no ending."""
    name = path.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    ending = Path(name).suffix
    return "" if re.fullmatch(r"\.[^.]*(ubyte|\d)[^.]*", ending) else ending


def _require_one_each(folder: Path, roles: dict[str, list[Path]]) -> None:
    twice = [paths for paths in roles.values() if len(paths) > 1]
    if not twice:
        return
    names = "; ".join(" and ".join(str(one.relative_to(folder)) for one in paths[:MOST_LISTED])
                      for paths in twice)  # fmt: skip
    alone = [role for role, paths in roles.items() if role == "data" and len(paths) > 1]
    advice = (
        f"Give one of them with --data FILE, e.g. {roles['data'][0]}." if alone else "Keep one."
    )
    raise DataError(f"{folder}: {names} both exist. Which one is meant?", advice)


def _pictures(folder: Path) -> dict[str, Path]:
    """Return a folder that is one set of pictures, on its own or in folders per class."""
    inside = [one for one in folder.iterdir() if not one.name.startswith((".", "__"))]
    folders = [one for one in inside if one.is_dir()]
    if any(one.suffix.lower() in PICTURES for one in inside if one.is_file()):
        return {"data": folder}
    if any(one.suffix.lower() in PICTURES for each in folders for one in each.iterdir()):
        return {"data": folder}
    if len(folders) == 1 == len(inside):
        return find_files(folders[0])  # as an archive leaves it that was extracted
    raise DataError(f"{folder}: there are no images{_listed(folder)}. Expected {EXPECTED}.",
                    "Give the folder or file of the images with --data.")  # fmt: skip


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
