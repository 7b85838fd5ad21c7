"""Draw glyphs: a data set in notMNIST's form, from the fonts of a folder."""

import gzip
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prefect import get_run_logger, task

from autoencoders.errors import PipelineError
from autoencoders.glyphs import LETTERS, draw_letter
from autoencoders.randomness import derived_seed, generator
from tasks.fonts import Face, Survey, open_font, survey
from tasks.store import explained, write_atomically

SPLITS = ("train", "test")
MOST_SLANT = 0.25
LABELS = {"train": "train_lables.csv", "test": "test_labels.csv"}
"""The names the reference data has, its spelling included."""


@task(task_run_name="survey fonts")
def survey_fonts(fonts: Path) -> Survey:
    """Find the fonts that can draw the letters; say how many were left out, and why."""
    found = survey(fonts)
    get_run_logger().info(
        "%d faces of %d typefaces can be used; skipped: %d broken, %d symbol fonts, %d copies.",
        len(found.faces), len({face.typeface for face in found.faces}),
        found.broken, found.symbols, found.copies,
    )  # fmt: skip
    return found


def split_typefaces(faces: list[Face], train: int, test: int, seed: int) -> dict[str, list[Face]]:
    """Give every typeface to train or to test, in the proportion of the images.

    Raises:
        PipelineError: If there are fewer than two typefaces.
    """
    typefaces = sorted(
        {face.typeface for face in faces}, key=lambda name: derived_seed(seed, "typeface", name)
    )
    if len(typefaces) < 2:
        raise PipelineError(
            f"All usable fonts are of one typeface ({typefaces[0]}), but train and test must not "
            "share one. Add fonts of another typeface."
        )
    wanted = len(faces) * test / (train + test)
    chosen: set[str] = set()
    for typeface in typefaces[:-1]:
        if chosen and sum(face.typeface in chosen for face in faces) >= wanted:
            break
        chosen.add(typeface)
    ordered = sorted(faces, key=lambda face: derived_seed(seed, "face", face.sha256))
    return {
        "train": [face for face in ordered if face.typeface not in chosen],
        "test": [face for face in ordered if face.typeface in chosen],
    }


@task(task_run_name="draw {split}")
def draw_split(split: str, faces: list[Face], count: int, seed: int, out: Path) -> None:
    """Write the two files of a split: `count` images, every letter equally often, shuffled.

    Every face draws each letter once as it is; when they are used up, again with a slant and a
    weight of its own.
    """
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
        images = np.empty((count, 28 * 28), np.uint8)
        labels = np.empty(count, np.int64)
        row = 0
        for index, face in enumerate(itertools.cycle(faces)):
            variant = index // len(faces)
            for label, glyph in _alphabet(face, variant, seed):
                if row < count:
                    images[row], labels[row] = glyph, label
                    row += 1
            if row == count:
                break
        order = generator(seed, "order", split).permutation(count)
        write_atomically(out / f"{split}_data.csv.gz", _gzipped(_csv(images[order])))
        write_atomically(out / LABELS[split], _csv(labels[order, None]))


def _alphabet(face: Face, variant: int, seed: int) -> list[tuple[int, NDArray[np.uint8]]]:
    rng = generator(seed, "variant", face.sha256, variant)
    slant = float(rng.uniform(-MOST_SLANT, MOST_SLANT)) if variant else 0.0
    weight = float(rng.uniform(-1, 1)) if variant else 0.0
    font = open_font(face.path)
    glyphs = [draw_letter(font, letter, slant, weight) for letter in LETTERS]
    return [(label, glyph.ravel()) for label, glyph in enumerate(glyphs) if glyph is not None]


def _csv(rows: NDArray[Any]) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()).encode()


def _gzipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()
