"""The user's files, opened by what they are; their names say nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.formats.arff import is_arff, read_arff
from tasks.formats.arrays import MAGIC as NPY
from tasks.formats.arrays import is_npz, npy_labels, npz_labels, read_npy, read_npz
from tasks.formats.compression import opened
from tasks.formats.csv import read_csv
from tasks.formats.csv_labels import csv_labels
from tasks.formats.errors import DataError
from tasks.formats.foreign import refuse_foreign, refuse_office
from tasks.formats.idx import idx_labels, is_idx, read_idx
from tasks.formats.image_file import ImageFile, LabelFile, Opened, Part
from tasks.formats.image_set import ImageSet
from tasks.formats.parquet import MAGIC as PARQUET
from tasks.formats.parquet import read_parquet
from tasks.formats.pictures import read_pictures
from tasks.formats.shards import joined, joined_labels, shards_of

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings, ReadingSettings

BEGINNING = 1 << 16
"""Bytes by which a file is recognised, once it is decompressed."""


def open_sets(
    files: Mapping[str, Path], reading: "ReadingSettings", image: "ImageSettings"
) -> dict[str, ImageSet]:
    """Open everything that belongs to the train and test images, or to those yet to be split.

    Args:
        files: Paths by role, as `find_files` returns them.
        reading: What is set of the form of the files.
        image: What is set of the shape of an image.

    Returns:
        The sets `train` and `test`, or the set `data`.

    Raises:
        DataError: If a file is none of images, or of labels.
    """
    if "data" not in files:
        return {split: _opened(files, f"{split}_", reading, image) for split in ("train", "test")}
    if len(shards_of("data", files)) == 1:
        found = open_images(files["data"], reading, image)
        if len(found) > 1:
            return {split: ImageSet(files["data"], images) for split, images in found.items()}
    return {"data": _opened(files, "", reading, image)}


def _table(
    role: str, files: Mapping[str, Path], reading: "ReadingSettings", image: "ImageSettings"
) -> Opened:
    """Open the files of a role, which are one set of images."""
    return joined([Opened(path, _only(path, reading, image)) for path in shards_of(role, files)])


def _labels(
    role: str, files: Mapping[str, Path], reading: "ReadingSettings", count: int | None
) -> LabelFile:
    """Open the files of a role, which are the labels of one set of images."""
    paths = shards_of(role, files)
    known = count if len(paths) == 1 else None
    return joined_labels([open_labels(path, reading, known) for path in paths])


def _only(path: Path, reading: "ReadingSettings", image: "ImageSettings") -> ImageFile:
    found = open_images(path, reading, image)
    if len(found) > 1:
        raise DataError(
            f"{path}: has train and test images, but is one of two files.",
            "Give it alone, with --data FILE.",
        )
    return next(iter(found.values()))


def _opened(
    files: Mapping[str, Path], split: str, reading: "ReadingSettings", image: "ImageSettings"
) -> ImageSet:
    """Join the images of a split with its labels and noisy twins."""
    path, images = _table(f"{split}data", files, reading, image)
    labels_path, labels = files.get(f"{split}labels"), None
    if reading.label == "none":
        labels_path = None
    if labels_path is not None:
        labels = _labels(f"{split}labels", files, reading, images.count)
        _check_order(path, images, labels_path, labels)
    if f"{split}noisy" not in files:
        return ImageSet(path, images, labels_path, labels)
    noisy_path, noisy = _table(f"{split}noisy", files, reading, image)
    if images.names and noisy.names and noisy.names != images.names:
        other = next(
            (one for one in noisy.names if one not in set(images.names)),
            next((one for one in images.names if one not in set(noisy.names)), ""),
        )
        raise DataError(
            f"{noisy_path} and {path}: {other} is in one of them only. Expected pictures of the "
            "same names, each a noisy image and its clean one.",
            "Add the missing one or remove it.",
        )
    return ImageSet(path, images, labels_path, labels, noisy_path, noisy)


def _check_order(
    path: Path, images: ImageFile, labels_path: Path | None, labels: LabelFile
) -> None:
    """Refuse labels whose rows have the names of the images, but another one at some place.

    Raises:
        DataError: If they have. Names of other rows say nothing, nor do numbers that only count,
            from whatever number on.
    """
    if images.row_names is None or labels.row_names is None:
        return
    of_images, of_labels = (
        [name.lstrip(b"0") or name[-1:] for name in names()]
        for names in (images.row_names, labels.row_names)
    )
    shared = len(set(of_images) & set(of_labels))
    if 2 * shared < len(of_labels) or (_counts(of_images) and _counts(of_labels)):
        return
    pairs = zip(of_images, of_labels, strict=False)
    found = next(((at, pair) for at, pair in enumerate(pairs) if pair[0] != pair[1]), None)
    if found is None:
        return
    at, (one, other) = found
    raise DataError(
        f"{labels_path}, {labels.place(at)}: the label of the row {other.decode(errors='replace')}"
        f", but {path.name} has the row {one.decode(errors='replace')} there. Expected the rows of "
        "both in the same order.",
        "Bring the labels to the rows of the images: in pandas, labels.set_index(NAME).loc["
        "images[NAME]].reset_index().to_csv(FILE, index=False), with NAME the column of the names. "
        "Remove an image without a label first.",
    )


def _counts(names: list[bytes]) -> bool:
    """Tell whether names are numbers each of which is one more than that before."""
    if not all(name.isdigit() and len(name) < 19 for name in names):
        return False
    numbers = [int(name) for name in names]
    return all(number == numbers[0] + at for at, number in enumerate(numbers))


def open_images(
    path: Path, reading: "ReadingSettings", image: "ImageSettings"
) -> dict[str, ImageFile]:
    """Open a file or folder of images.

    Returns:
        By `train` and `test` where the file has both, otherwise one set.

    Raises:
        DataError: If it is no such file.
    """
    if path.is_dir():
        found = {"data": read_pictures(path, image)}
    elif is_npz(path):
        found = read_npz(path)
    else:
        found = {"data": _form(path).images(path, reading, image)}
    if reading.label == "none":
        return {split: _unlabelled(images) for split, images in found.items()}
    return found


def _unlabelled(images: ImageFile) -> ImageFile:
    def parts(rows: int) -> Iterator[Part]:
        return (Part(part.pixels, None) for part in images.parts(rows))

    return replace(images, parts=parts, labelled=False)


def open_labels(path: Path, reading: "ReadingSettings", count: int | None) -> LabelFile:
    """Open a file of labels.

    Args:
        path: The file.
        reading: What is set of its form.
        count: How many images they are for, if that is known.

    Raises:
        DataError: If it is no such file.
    """
    if path.is_dir():
        raise DataError(
            f"{path}: expected a file of labels, got a folder.",
            "Pictures are labelled by the folders that they are in: one per class.",
        )
    if is_npz(path):
        return npz_labels(path)
    form = _form(path)
    if form.labels is None:
        raise DataError(
            f"{path}: expected labels as CSV, IDX or NumPy's array, got {form.name}.",
            "Write them as CSV, one per row (in pandas, to_csv(index=False, header=False)).",
        )
    return form.labels(path, reading, count)


class _Form(NamedTuple):
    """A form of files: how it is recognised, and who reads it."""

    name: str
    begins: Callable[[bytes], bool]
    images: Callable[[Path, "ReadingSettings", "ImageSettings"], ImageFile]
    labels: Callable[[Path, "ReadingSettings", int | None], LabelFile] | None = None


FORMS = (
    _Form("an array", lambda text: text.startswith(NPY),
          lambda path, reading, image: read_npy(path),
          lambda path, reading, count: npy_labels(path)),
    _Form("IDX", is_idx, lambda path, reading, image: read_idx(path),
          lambda path, reading, count: idx_labels(path)),
    _Form("Parquet", lambda text: text.startswith(PARQUET), read_parquet),
    _Form("ARFF", is_arff, read_arff),
)  # fmt: skip
"""Forms that say at their beginning what they are. What is none of them, and nothing that is known
to be something else, is text."""
TEXT = _Form("CSV", lambda text: True, read_csv, csv_labels)


def _form(path: Path) -> _Form:
    beginning = _beginning(path)
    found = next((form for form in FORMS if form.begins(beginning)), None)
    if found is None:
        refuse_foreign(path, beginning)
    return found or TEXT


def _beginning(path: Path) -> bytes:
    refuse_office(path)
    with opened(path) as file:
        return file.read(BEGINNING)


def form_name(path: Path) -> str:
    """Return what a file of images is called, as in `FORMS`; CSV if it is none of these.

    Raises:
        DataError: If it is known to be something else.
    """
    return _form(path).name
