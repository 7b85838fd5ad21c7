"""Which files of a user are images to be denoised, and which only belong to them."""

from dataclasses import dataclass
from pathlib import Path

from tasks.file_names import TABLES, WORDS, ending_of, words_of
from tasks.formats.errors import DataError
from tasks.formats.pictures import ENDINGS, files_below

RECORD = "manifest.json"
"""File that says what was written into a folder, and from what."""


@dataclass(frozen=True)
class Inputs:
    """Files below a folder, by their place in it."""

    root: Path
    tables: list[Path]
    """Files that hold many images: CSV, arrays, Parquet."""
    pictures: list[Path]
    labels: list[Path]
    """Files of labels, by their names."""

    @property
    def every(self) -> list[Path]:
        """All of them."""
        return [*self.tables, *self.pictures, *self.labels]


def find_inputs(path: Path) -> Inputs:
    """Find the images in a file or folder.

    Args:
        path: A picture, a file of many images, or a folder of such at any depth.

    Raises:
        DataError: If there are none, or clean ones beside noisy ones.
    """
    if path.is_file():
        picture = path.suffix.lower() in ENDINGS
        one = [Path(path.name)]
        return Inputs(path.parent, [] if picture else one, one if picture else [], [])
    if not path.is_dir():
        raise DataError(
            f"{path}: no such file or folder.", "Give the path of the images with --input."
        )
    found = Inputs(path, [], [], [])
    for place in sorted(files_below(path)):
        words = words_of(place) | words_of(place.parent)
        if place.suffix.lower() in ENDINGS:
            found.pictures.append(place)
        elif ending_of(place) in TABLES and not words & WORDS["nothing"]:
            (found.labels if words & WORDS["labels"] else found.tables).append(place)
    if not found.tables and not found.pictures:
        raise DataError(
            f"{path}: there are no images in it.",
            "Give the folder or file of the images with --input.",
        )
    _refuse_pairs(path, [*found.tables, *found.pictures])
    return found


def check_places(inputs: Inputs, output: Path) -> None:
    """Refuse to write where something would be lost.

    Args:
        inputs: What is read.
        output: The folder that is written to.

    Raises:
        DataError: If it is, or is in, the folder of the inputs, holds one of them, or holds files
            of somebody else.
    """
    if output.exists() and not output.is_dir():
        raise DataError(f"{output}: expected a folder.", "Give another one with --output.")
    source, target = inputs.root.resolve(), output.resolve()
    for one in inputs.every:
        place = target / one
        if place.exists() and place.samefile(source / one):
            raise DataError(
                f"{output}: {one} would be written over itself.",
                "Give another folder with --output.",
            )
    if target.is_relative_to(source) and len(inputs.every) > 1:
        raise DataError(
            f"{output}: is inside the folder of the images, so its files would be input next time.",
            "Give a folder outside of it with --output.",
        )
    if output.is_dir() and any(output.iterdir()) and not (output / RECORD).is_file():
        raise DataError(
            f"{output}: there are files in it that were not written by denoising.",
            "Give a new or empty folder with --output.",
        )
    if any(one.as_posix() == RECORD for one in inputs.every):
        raise DataError(
            f"{RECORD}: this name is reserved for the record of the results.", "Rename it."
        )


def _refuse_pairs(folder: Path, images: list[Path]) -> None:
    parts = [{part for one in image.parts for part in words_of(Path(one))} for image in images]
    noisy = [image for image, words in zip(images, parts, strict=True) if "noisy" in words]
    if noisy and any("clean" in words for words in parts):
        first = noisy[0].parts[0]
        raise DataError(
            f"{folder}: there are noisy images and clean ones.",
            f"Give the noisy ones: --input {folder / first}",
        )
