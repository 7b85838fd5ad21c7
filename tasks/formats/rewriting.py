"""Files of images written again, in their own form, with other values."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from numpy.typing import NDArray

from tasks.formats.array_rewriting import rewrite_idx, rewrite_npy, rewrite_npz
from tasks.formats.arrays import is_npz
from tasks.formats.csv_rewriting import CsvRewriter
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile
from tasks.formats.opening import form_name, open_images
from tasks.formats.parquet_rewriting import ParquetRewriter

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings, ReadingSettings

Parts = Iterable[NDArray[Any]]
"""The values of all images in order, (m, width) each, in the units of the file."""


class Rewritable(NamedTuple):
    """A file of images that is written again."""

    sets: Mapping[str, ImageFile]
    """Its images: train and test of an archive of arrays, else data."""
    write: Callable[[Mapping[str, Parts], float, BinaryIO], None]
    """Takes other values of each set, the difference of values that must not be lost (1 for whole
    numbers), and where the file goes."""


def open_rewritable(path: Path, reading: "ReadingSettings", image: "ImageSettings") -> Rewritable:
    """Open a file of images that is to be written again.

    Args:
        path: The file.
        reading: What is set of its form.
        image: What is set of the shape of an image.

    Raises:
        DataError: If it holds no images, or has a form that is only read.
    """
    sets = open_images(path, reading, image)
    if is_npz(path):
        return Rewritable(sets, lambda parts, step, file: rewrite_npz(path, parts, file))
    match form_name(path):
        case "an array":
            return _of_one(sets, lambda parts, step, file: rewrite_npy(path, parts, file))
        case "IDX":
            return _of_one(sets, lambda parts, step, file: rewrite_idx(path, parts, file))
        case "Parquet":
            parquet = ParquetRewriter(path, reading, image)
            return _of_one(sets, lambda parts, step, file: parquet.write(parts, file))
        case "CSV":
            return _of_one(sets, CsvRewriter(path, reading, image).write)
    raise DataError(
        f"{path}: ARFF is read, but not written.",
        "Give what stands below its line @DATA as CSV: "
        f"awk 'data; tolower($1) == \"@data\" {{data = 1}}' {path.name} > images.csv",
    )


def _of_one(
    sets: Mapping[str, ImageFile], write: Callable[[Parts, float, BinaryIO], None]
) -> Rewritable:
    (name,) = sets
    return Rewritable(sets, lambda parts, step, file: write(parts[name], step, file))
