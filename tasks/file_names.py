"""What the names of files and folders say of their content."""

import re
from pathlib import Path

WORDS = {
    "train": {"train", "training", "trn", "tra", "tr"},
    "test": {"test", "testing", "tst", "t10k", "tes", "te"},
    "evaluation": {"eval", "evaluation", "holdout"},
    "validation": {"val", "valid", "validation", "dev"},
    "labels": {"labels", "lables", "label", "lbls", "lbl", "y", "target", "targets", "idx1"},
    "noisy": {"noisy"},
    "nothing": {"readme", "license", "submission", "mapping", "names", "meta", "metadata",
                "checksums", "requirements", "manifest"},
}  # fmt: skip
"""Words in the name of a file, and what they say that it is."""
GLUED = re.compile(r"(x|y)(train|test)|(train|test|val)([a-d]|x|y|[0-9]{1,4})")
"""Names such as `xtrain`, `trainA` and `val2017`."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
TABLES = frozenset(
    (
        "", ".csv", ".tsv", ".txt", ".dat", ".data", ".npy", ".npz", ".parquet", ".arff", ".idx",
        ".pq", ".ubyte", ".mat", ".h5", ".hdf5", ".pkl", ".pickle", ".json", ".xlsx", ".xls",
        ".tra", ".tes", ".train", ".test", ".feather", ".tar", ".tgz", ".rar", ".7z", *COMPRESSED,
    )
)  # fmt: skip
"""Endings of files that may hold images, or that somebody takes for such."""
CLEAN = {"clean", "groundtruth", "truth", "gt"}
"""Names of folders of clean images beside noisy ones."""
NAMED = CLEAN.union(
    *(WORDS[kind] for kind in ("train", "test", "evaluation", "validation", "noisy"))
)
"""Words in the names of folders that are looked into."""
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def entries_of(folder: Path) -> list[Path]:
    """Return what is in a folder, but hidden files and those that systems leave there."""
    return [one for one in folder.iterdir() if not one.name.startswith((".", "__"))]


def words_of(path: Path) -> set[str]:
    """Return the words of a file's name, in small letters."""
    words = set(re.split(r"[^a-z0-9]+", path.name.lower()))
    for word in tuple(words):
        if glued := GLUED.fullmatch(word):
            words |= {part for part in glued.groups() if part}
    return words


def ending_of(path: Path) -> str:
    """Return the ending of a name, without that of its compression; nothing if it is no ending."""
    name = path.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    ending = Path(name).suffix
    return "" if re.fullmatch(r"\.[^.]*(ubyte|\d)[^.]*", ending) else ending
