"""Drawing letters in notMNIST's own manner, and telling letters from ornaments."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LETTERS = "ABCDEFGHIJ"
SIDE = 28
"""Pixels a side of a finished glyph."""
DRAWN_SIZE = 200
"""Pixels of the em square in which a letter is drawn before it is made small."""
MARGIN = 40
"""Pixels left free around a drawn letter, for slant and weight."""
LEAST_RIGHT = 4
"""Of the ten letters, how many must look most like the average of their own kind."""

ALIKE = 0.01
"""Mean squared difference of pixels in [0, 1] below which two faces are one design."""
LEAST_INK, MOST_INK = 0.6, 1.6
"""How much of its ink a letter may lose or gain by a change of weight."""

Glyph = NDArray[np.uint8]


def draw_letter(
    font: ImageFont.FreeTypeFont, letter: str, slant: float = 0.0, weight: float = 0.0
) -> Glyph | None:
    """Draw one letter as notMNIST has it: white on black, its ink stretched to the whole square.

    The letter is drawn large, cut to the box of its ink and resampled (Lanczos) without keeping
    the aspect ratio.

    Args:
        font: An open font of size `DRAWN_SIZE`.
        letter: One character.
        slant: Pixels of shift to the right a pixel of height; 0.2 is a common italic.
        weight: From -1 to 1: thinner or bolder strokes; 0 draws the font as it is.

    Returns:
        uint8 (28, 28), or None if the font draws no ink for this letter.
    """
    left, top, right, bottom = map(int, font.getbbox(letter))
    width, height = right - left + 2 * MARGIN, bottom - top + 2 * MARGIN
    if not (2 * MARGIN < width < 2000 and 2 * MARGIN < height < 2000):
        return None
    page = Image.new("L", (width, height))
    ImageDraw.Draw(page).text((MARGIN - left, MARGIN - top), letter, fill=255, font=font)
    if slant:
        reach = round(abs(slant) * height)
        shift = -reach if slant > 0 else 0
        page = page.transform(
            (width + reach, height), Image.Transform.AFFINE,
            (1, slant, shift, 0, 1, 0), Image.Resampling.BICUBIC,
        )  # fmt: skip
    if weight:
        page = _reweighted(page, weight)
    box = page.getbbox()
    if box is None:
        return None
    small = page.crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.uint8)


def _reweighted(page: Image.Image, weight: float) -> Image.Image:
    """Move the edge of the ink: blur, then cut again at another level than the middle.

    A hairline would vanish and a counter would close; such a letter stays as it is.
    """
    ink = np.asarray(page, dtype=np.float32) / 255
    blurred = np.asarray(page.filter(ImageFilter.GaussianBlur(6)), dtype=np.float32) / 255
    level = 0.5 - 0.3 * weight  # of the blurred ink: below a half, the strokes grow
    moved = np.clip((blurred - level) * 12 + 0.5, 0, 1)
    if not LEAST_INK < moved.sum() / max(ink.sum(), 1) < MOST_INK:
        return page
    return Image.fromarray((moved * 255).astype(np.uint8))


def are_letters(faces: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell faces that draw the letters A-J from symbol fonts that draw something else.

    A face counts as letters if at least `LEAST_RIGHT` of its ten glyphs look more like the average
    glyph of their own letter, over all faces, than like that of any other letter.

    Args:
        faces: uint8 (n, 10, 28, 28): the ten letters of each face.

    Returns:
        bool (n,).
    """
    flat = faces.reshape(len(faces), len(LETTERS), -1).astype(np.float32) / 255  # (n, 10, 784)
    average = np.median(flat, axis=0)  # (10, 784)
    distance = (flat**2).sum(-1, keepdims=True) - 2 * flat @ average.T + (average**2).sum(-1)
    right = distance.argmin(-1) == np.arange(len(LETTERS))  # (n, 10)
    return np.asarray(right.sum(-1) >= LEAST_RIGHT)


def same_design(faces: NDArray[np.uint8], groups: list[str]) -> list[str]:
    """Give groups of faces that share a drawing one name, so that a split can keep them together.

    Args:
        faces: uint8 (n, 10, 28, 28).
        groups: The group of each face, e.g. its family.

    Returns:
        For each face, the first name of all the groups connected to its own by faces whose ten
        glyphs differ by less than `ALIKE` on average.
    """
    flat = faces.reshape(len(faces), -1).astype(np.float32) / 255  # (n, 7840)
    squares = (flat**2).sum(-1)
    leader = {name: name for name in groups}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for index in range(len(faces)):
        distance = squares[index] + squares[index:] - 2 * flat[index:] @ flat[index]
        for other in np.flatnonzero(distance / flat.shape[1] < ALIKE) + index:
            first, second = sorted((find(groups[index]), find(groups[other])))
            leader[second] = first
    return [find(name) for name in groups]
