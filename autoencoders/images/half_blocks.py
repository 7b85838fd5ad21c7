"""Pictures as text in colour, two pixels per character, for terminals."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

UPPER_HALF = "▀"
RESET = "\x1b[0m"


def half_blocks(picture: NDArray[np.uint8]) -> str:
    """Draw a picture with upper halves of blocks: the colour is the upper pixel, the background
    the lower one.

    Args:
        picture: uint8 (h, w, 3).

    Returns:
        Lines of w characters with the escape sequences of 24-bit colour, h / 2 of them rounded up;
        a missing last row of pixels is black.
    """
    height, width, _ = picture.shape
    if height % 2:
        picture = np.concatenate([picture, np.zeros((1, width, 3), np.uint8)])
    pairs = picture.reshape(-1, 2, width, 3).transpose(0, 2, 1, 3).reshape(-1, width, 6)
    return "\n".join("".join(_line(row)) + RESET for row in pairs.tolist())


def _line(pairs: list[list[int]]) -> Iterator[str]:
    """Yield characters, with a sequence only where a colour changes."""
    before: list[int] | None = None
    for pair in pairs:
        if pair != before:
            upper, lower = (";".join(map(str, colour)) for colour in (pair[:3], pair[3:]))
            yield f"\x1b[38;2;{upper};48;2;{lower}m"
        yield UPPER_HALF
        before = pair
