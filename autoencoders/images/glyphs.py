"""Drawing letters the way notMNIST does, and telling fonts of letters from fonts of symbols."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LETTERS = "ABCDEFGHIJ"
SIDE = 28
"""Height and width of a finished glyph, in pixels."""
DRAWN_SIZE = 200
"""Em size in pixels at which a letter is drawn before it is scaled down."""
MARGIN = 40
"""Pixels left free around a drawn letter, for slant and weight."""
MAX_EXTENT = 2000
"""Pixels a drawn letter may span; broken fonts report boxes of any size."""
MIN_RECOGNISED = 4
"""How many of a font's ten letters must look most like the average of their own kind."""
SAME_DESIGN_MSE = 0.01
"""Mean squared difference of pixels in [0, 1] below which two faces count as one design."""
MIN_INK, MAX_INK = 0.6, 1.6
"""By which factors a change of weight may change the amount of a letter's ink."""

Glyph = NDArray[np.uint8]


def draw_letter(
    font: ImageFont.FreeTypeFont, letter: str, slant: float = 0.0, weight: float = 0.0
) -> Glyph | None:
    """Draw one letter as in notMNIST: white on black, its ink stretched to fill the square.

    The letter is drawn large, cropped to the bounding box of its ink and resampled (Lanczos)
    without keeping the aspect ratio.

    Args:
        font: An open font of size `DRAWN_SIZE`.
        letter: One character.
        slant: Horizontal shift to the right per pixel of height; 0.2 is a common italic.
        weight: From -1 (thinner strokes) to 1 (bolder); 0 draws the font as it is.

    Returns:
        uint8 (28, 28), or None if the font draws no ink for this letter.
    """
    left, top, right, bottom = map(int, font.getbbox(letter))
    width, height = right - left + 2 * MARGIN, bottom - top + 2 * MARGIN
    if not (2 * MARGIN < width < MAX_EXTENT and 2 * MARGIN < height < MAX_EXTENT):
        return None
    page = Image.new("L", (width, height))
    ImageDraw.Draw(page).text((MARGIN - left, MARGIN - top), letter, fill=255, font=font)
    if slant:
        page = _slanted(page, slant)
    if weight:
        page = _reweighted(page, weight)
    box = page.getbbox()
    if box is None:  # a blank glyph may still have a box, as a space does
        return None
    small = page.crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.uint8)  # (28, 28)


def _slanted(page: Image.Image, slant: float) -> Image.Image:
    """Shear the page horizontally and widen it, so that no ink leaves it."""
    width, height = page.size
    reach = round(abs(slant) * height)
    # The transform maps output to input pixels: x_in = x_out + slant * y + shift
    shift = -reach if slant > 0 else 0
    return page.transform(
        (width + reach, height), Image.Transform.AFFINE,
        (1, slant, shift, 0, 1, 0), Image.Resampling.BICUBIC,
    )  # fmt: skip


def _reweighted(page: Image.Image, weight: float) -> Image.Image:
    """Move the edges of the ink: blur the page, then cut it at a level other than one half.

    A letter stays as it is where a hairline would vanish or a counter would close.
    """
    ink = np.asarray(page, dtype=np.float32) / 255  # (height, width)
    blurred = np.asarray(page.filter(ImageFilter.GaussianBlur(6)), dtype=np.float32) / 255
    level = 0.5 - 0.3 * weight  # below one half the strokes grow, above it they shrink
    # A steep ramp instead of a step keeps the edges smooth
    moved = np.clip((blurred - level) * 12 + 0.5, 0, 1)
    if not MIN_INK < moved.sum() / max(ink.sum(), 1) < MAX_INK:
        return page
    return Image.fromarray((moved * 255).astype(np.uint8))


def are_letters(faces: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell faces that draw the letters A to J from symbol fonts that draw something else.

    A face counts as letters if at least `MIN_RECOGNISED` of its ten glyphs are closer to the
    average glyph of their own letter, over all faces, than to that of any other letter.

    Args:
        faces: uint8 (n, 10, 28, 28): the ten letters of each face.

    Returns:
        bool (n,).
    """
    flat = faces.reshape(len(faces), len(LETTERS), -1).astype(np.float32) / 255  # (n, 10, 784)
    # The median, since symbol fonts among the faces would smear a mean
    average = np.median(flat, axis=0)  # (10, 784)
    # |x - y|^2 as |x|^2 - 2xy + |y|^2: one matrix product instead of n x 10 x 10 differences
    distance = (flat**2).sum(-1, keepdims=True) - 2 * flat @ average.T + (average**2).sum(-1)
    recognised = distance.argmin(-1) == np.arange(len(LETTERS))  # (n, 10)
    return np.asarray(recognised.sum(-1) >= MIN_RECOGNISED)


def same_design(faces: NDArray[np.uint8], groups: list[str]) -> list[str]:
    """Merge groups of faces that share a drawing, so that a split can keep them together.

    Args:
        faces: uint8 (n, 10, 28, 28): the ten letters of each face.
        groups: The group of each face, e.g. its family.

    Returns:
        One name per face: the first, in alphabetical order, of all groups connected to its own by
        faces whose ten glyphs differ by less than `SAME_DESIGN_MSE` on average.
    """
    flat = faces.reshape(len(faces), -1).astype(np.float32) / 255  # (n, 7840)
    squares = (flat**2).sum(-1)  # (n,)
    # Union-find: each group points to a group that stands for it, a representative to itself
    leader = {name: name for name in groups}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for index in range(len(faces)):
        # One row of distances at a time: all pairs at once would take n x n numbers
        distance = squares[index] + squares[index:] - 2 * flat[index:] @ flat[index]
        for other in np.flatnonzero(distance / flat.shape[1] < SAME_DESIGN_MSE) + index:
            first, second = sorted((find(groups[index]), find(groups[other])))
            leader[second] = first  # so that the alphabetically first name represents them all
    return [find(name) for name in groups]
