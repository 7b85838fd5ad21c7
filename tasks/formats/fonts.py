"""Font files: which of them can draw the letters A-J, and which typeface each belongs to."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont, TTLibError
from numpy.typing import NDArray
from PIL import ImageFont

from autoencoders.errors import PipelineError
from autoencoders.images.glyphs import DRAWN_SIZE, LETTERS, are_letters, draw_letter, same_design
from tasks.engine.handles import ArtifactRef

ENDINGS = {".ttf", ".otf"}
STYLE = re.compile(
    r"[\s-]+(thin|hairline|extra ?light|ultra ?light|light|book|regular|roman|medium|semi ?bold|"
    r"demi ?bold|demi|bold|extra ?bold|ultra ?bold|black|heavy|italic|oblique|condensed|"
    r"narrow|extended|wide|outline|inline|shadow)$",
    re.IGNORECASE,
)
SYMBOLS = re.compile(r"dingbat|symbol|ornament|webding|wingding|awesome|icons?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Face:
    """One usable font file."""

    sha256: str
    path: Path
    typeface: str
    """The design it belongs to; faces of one typeface stay in one split."""


@dataclass(frozen=True)
class Survey:
    """What was found among font files."""

    faces: list[Face]
    """Usable faces, each drawing once, in an order that depends on their content alone."""
    broken: int
    """Files that could not be read as a font."""
    symbols: int
    """Fonts without the letters A-J, or with something else in their place."""
    copies: int
    """Files whose letters are those of another file, to the pixel."""


def find_fonts(folder: Path) -> list[Path]:
    """Return every font file below `folder`, sorted.

    Raises:
        PipelineError: If there is no such folder, or no font file in it.
    """
    if not folder.is_dir():
        raise PipelineError(f"{folder}: no such folder.", "Give a folder of .ttf or .otf files.")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if not any(path.is_file() for path in files):
        raise PipelineError(f"{folder}: no .ttf or .otf file below it.", "Give another folder.")
    return [path for path in files if path.is_file()]


def survey(fonts: Sequence[ArtifactRef]) -> Survey:
    """Look at every font.

    Args:
        fonts: The files; the result depends on their content alone.

    Raises:
        PipelineError: If no font can be used.
    """
    by_content = {ref.sha256: ref.path for ref in fonts}
    broken = symbols = readable = 0
    drawn: dict[bytes, tuple[Face, NDArray[np.uint8]]] = {}
    for sha256, path in sorted(by_content.items()):
        try:
            face = _face(sha256, path)
        except (TTLibError, OSError, ValueError, KeyError, AttributeError, IndexError):
            broken += 1
            continue
        if face is None:
            symbols += 1
            continue
        readable += 1
        drawn.setdefault(face[1].tobytes(), face)
    if not drawn:
        raise PipelineError(
            f"None of {len(fonts)} fonts can draw the letters A-J ({broken} are broken, {symbols} "
            "lack these letters).",
            "Give another folder.",
        )
    faces, more_symbols = _letters_only(list(drawn.values()))
    copies = len(fonts) - len(by_content) + readable - len(drawn)
    return Survey(faces, broken, symbols + more_symbols, copies)


def _face(sha256: str, path: Path) -> tuple[Face, NDArray[np.uint8]] | None:
    """Return a face and its alphabet, uint8 (10, 28, 28); None if it lacks a letter."""
    typeface = _typeface(path, unnamed=sha256[:12])
    glyphs = [] if typeface is None else list(_letters(path))
    alphabet = [glyph for glyph in glyphs if glyph is not None]
    if typeface is None or len(alphabet) < len(LETTERS):
        return None
    return Face(sha256, path, typeface), np.stack(alphabet)


def _letters_only(drawn: list[tuple[Face, NDArray[np.uint8]]]) -> tuple[list[Face], int]:
    """Return the faces that draw letters, by their design, and how many draw something else."""
    alphabets = np.stack([alphabet for _, alphabet in drawn])  # (faces, 10, 28, 28)
    usable = are_letters(alphabets)  # (faces,)
    faces = [face for (face, _), good in zip(drawn, usable, strict=True) if good]
    designs = same_design(alphabets[usable], [face.typeface for face in faces])
    named = [
        Face(face.sha256, face.path, design) for face, design in zip(faces, designs, strict=True)
    ]
    return named, int((~usable).sum())


def open_font(path: Path) -> ImageFont.FreeTypeFont:
    """Open a font for drawing, without any shaping that other libraries would add."""
    return ImageFont.truetype(path, DRAWN_SIZE, layout_engine=ImageFont.Layout.BASIC)


def _letters(path: Path) -> Iterator[NDArray[np.uint8] | None]:
    font = open_font(path)
    for letter in LETTERS:
        yield draw_letter(font, letter)


def _typeface(path: Path, unnamed: str) -> str | None:
    """Return the typeface that a font names; None if it does not have the letters."""
    with TTFont(path, lazy=True) as font:
        names = font["name"]
        family = names.getDebugName(16) or names.getDebugName(1) or unnamed
        characters = font.getBestCmap() or {}
    if SYMBOLS.search(family) or any(ord(letter) not in characters for letter in LETTERS):
        return None
    while (shorter := STYLE.sub("", family)) != family:
        family = shorter
    return family.strip().lower()
