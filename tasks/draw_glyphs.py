"""Draw glyphs: a data set in notMNIST's form, from font files."""

import gzip
import io
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.errors import PipelineError
from autoencoders.images.glyphs import LETTERS, draw_letter
from autoencoders.randomness import derived_seed, generator
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.fonts import Face, open_font, survey

MOST_SLANT = 0.25
LABELS = {"train": "train_lables.csv", "test": "test_labels.csv"}
"""The names that the reference data have, spelling included."""


@stage
def draw_glyphs(
    output: Output, fonts: Mapping[str, ArtifactRef], train: int, test: int, seed: int
) -> None:
    """Write images and labels of both splits as CSV files, no typeface in both.

    Args:
        output: Where they go.
        fonts: The font files; their names do not matter.
        train: Number of train images.
        test: Number of test images.
        seed: Seed of the split, of slants and weights, and of the order.
    """
    found = survey(list(fonts.values()))
    output.log(
        f"{len(found.faces)} faces of {len({face.typeface for face in found.faces})} typefaces can "
        f"be used; skipped: {found.broken} broken, {found.symbols} symbol fonts, {found.copies} "
        "copies."
    )
    shares = split_typefaces(found.faces, train, test, seed)
    for split, count in (("train", train), ("test", test)):
        images, labels = _draw(split, shares[split], count, seed)
        (output.folder / f"{split}_data.csv.gz").write_bytes(_gzipped(_csv(images)))
        (output.folder / LABELS[split]).write_bytes(_csv(labels[:, None]))
        output.log(f"{split}: {count:,} images from {len(shares[split])} faces.")


def split_typefaces(faces: list[Face], train: int, test: int, seed: int) -> dict[str, list[Face]]:
    """Give every typeface to train or to test, in the proportion of the images.

    Raises:
        PipelineError: If there are fewer than two typefaces.
    """
    if not faces:
        raise PipelineError("None of the fonts draws the letters A-J.", "Give another folder.")
    typefaces = sorted(
        {face.typeface for face in faces}, key=lambda name: derived_seed(seed, "typeface", name)
    )
    if len(typefaces) < 2:
        raise PipelineError(
            f"All usable fonts are of one typeface ({typefaces[0]}), but train and test must not "
            "share one.",
            "Add fonts of another typeface.",
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


def _draw(
    split: str, faces: list[Face], count: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw `count` images, uint8 (n, 784), and labels (n,), every letter equally often, shuffled.

    Every face draws each letter once as it is; when they are used up, again with a slant and a
    weight of its own.
    """
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
    return images[order], labels[order]


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
