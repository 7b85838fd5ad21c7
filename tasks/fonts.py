"""Which fonts there are below a folder, and which of them can draw the letters A-J."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont, TTLibError
from numpy.typing import NDArray
from PIL import ImageFont

from autoencoders.errors import PipelineError
from autoencoders.glyphs import DRAWN_SIZE, LETTERS, are_letters, draw_letter, same_design
from tasks.store import ArtifactRef

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
    """What was found below a folder of fonts."""

    faces: list[Face]
    """Usable faces, each drawing once, in an order that depends on their content alone."""
    broken: int
    """Files that could not be read as a font."""
    symbols: int
    """Fonts without the letters A-J, or with something else in their place."""
    copies: int
    """Files whose letters are those of another file, to the pixel."""


def survey(folder: Path) -> Survey:
    """Look at every font below `folder`.

    Raises:
        PipelineError: If there is no such folder or no usable font in it.
    """
    if not folder.is_dir():
        raise PipelineError(f"{folder}: no such folder. Give a folder of .ttf or .otf files.")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    by_content = {ArtifactRef.of(path).sha256: path for path in files if path.is_file()}
    broken, symbols = 0, 0
    drawn: dict[bytes, tuple[Face, NDArray[np.uint8]]] = {}
    readable = 0
    for sha256, path in sorted(by_content.items()):
        try:
            family = _family(path)
            glyphs = None if family is None else list(_letters(path))
        except (TTLibError, OSError, ValueError, KeyError, AttributeError, IndexError):
            broken += 1
            continue
        if family is None or glyphs is None or any(glyph is None for glyph in glyphs):
            symbols += 1
            continue
        readable += 1
        alphabet = np.stack([glyph for glyph in glyphs if glyph is not None])  # (10, 28, 28)
        drawn.setdefault(alphabet.tobytes(), (Face(sha256, path, family), alphabet))
    if not drawn:
        raise PipelineError(
            f"{folder}: no font in it can draw the letters A-J ({len(files)} .ttf or .otf files, "
            f"{broken} broken, {symbols} without these letters)."
        )
    faces = [face for face, _ in drawn.values()]
    alphabets = np.stack([alphabet for _, alphabet in drawn.values()])
    usable = are_letters(alphabets)
    kept = [face for face, good in zip(faces, usable, strict=True) if good]
    designs = same_design(alphabets[usable], [face.typeface for face in kept])
    return Survey(
        faces=[
            Face(face.sha256, face.path, design) for face, design in zip(kept, designs, strict=True)
        ],
        broken=broken,
        symbols=symbols + int((~usable).sum()),
        copies=len(files) - len(by_content) + readable - len(drawn),
    )


def open_font(path: Path) -> ImageFont.FreeTypeFont:
    """Open a font for drawing, without any shaping that other libraries would add."""
    return ImageFont.truetype(path, DRAWN_SIZE, layout_engine=ImageFont.Layout.BASIC)


def _letters(path: Path) -> Iterator[NDArray[np.uint8] | None]:
    font = open_font(path)
    for letter in LETTERS:
        yield draw_letter(font, letter)


def _family(path: Path) -> str | None:
    """Return the typeface a font says it belongs to; None if it does not have the letters."""
    with TTFont(path, lazy=True) as font:
        names = font["name"]
        family = names.getDebugName(16) or names.getDebugName(1) or path.stem
        characters = font.getBestCmap() or {}
    if SYMBOLS.search(family) or any(ord(letter) not in characters for letter in LETTERS):
        return None
    while (shorter := STYLE.sub("", family)) != family:
        family = shorter
    return family.strip().lower()
