"""Many pictures as one array: which size, channels and type they share, and how each gets there.

What differs without loss is made alike (grey in colour, opaque opacity, 8 in 16 bits); what does
not is stated, or asked about.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoencoders.images.shape import Shape, Sides
from tasks.formats.errors import DataError
from tasks.formats.layouts import LARGEST, SMALLEST
from tasks.formats.picture_files import Picture

SHOWN = 3
"""Names that a message lists."""


@dataclass(frozen=True)
class Traits:
    """What is to be known of each picture before any is made alike."""

    name: str
    size: tuple[int, int]
    """(height, width)"""
    channels: int
    """That the file has."""
    coloured: bool
    """Whether a pixel is not grey."""
    transparent: bool
    """Whether a pixel is not opaque."""
    dtype: str
    format: str
    frames: int
    reduced: bool


@dataclass(frozen=True)
class Target:
    """What all pictures become."""

    shape: Shape
    dtype: np.dtype[Any]
    decisions: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    form: str
    """The formats of the files."""

    @property
    def width(self) -> int:
        """Values per image."""
        return math.prod(self.shape)

    def row(self, picture: Picture) -> NDArray[Any]:
        """Return the pixels of a picture, (width,)."""
        height, width, channels = self.shape
        pixels = _deepened(picture.pixels, self.dtype)
        if picture.opacity and channels in (1, 3):
            pixels = _on_white(pixels)
        pixels = _with_channels(pixels, channels)
        if pixels.shape[:2] != (height, width):
            pixels = _scaled(pixels, height, width)
        return pixels.reshape(-1)


def traits_of(name: str, picture: Picture) -> Traits:
    """Look at a decoded picture."""
    pixels = picture.pixels
    colours = pixels[:, :, :3]
    coloured = pixels.shape[2] > 2 and bool((colours != colours[:, :, :1]).any())
    transparent = picture.opacity and bool((pixels[:, :, -1] != np.iinfo(pixels.dtype).max).any())
    height, width = pixels.shape[:2]
    return Traits(
        name, (height, width), pixels.shape[2], coloured, transparent, pixels.dtype.name,
        picture.format, picture.frames, picture.reduced,
    )  # fmt: skip


def settle(path: Path, every: Sequence[Traits], image: Sides | None = None) -> Target:
    """Decide what all pictures become.

    Args:
        path: Where they are from.
        every: All that can be read, one at least.
        image: Height, width and channels that are given; None or None in it: as the pictures are.

    Raises:
        DataError: If they differ in size, or in kind of values, and nothing says what to do.
    """
    height, width = (image.height, image.width) if image is not None else (None, None)
    decisions: list[tuple[str, str, str]] = []
    size = _size(path, every, height, width, decisions)
    channels = _channels(every, image.channels if image is not None else None, decisions)
    dtype = _dtype(path, every, decisions)
    warnings = _warnings(every)
    formats = ", ".join(sorted({one.format for one in every}))
    return Target((*size, channels), dtype, tuple(decisions), warnings, f"pictures, {formats}")


def shown(names: Iterable[str]) -> str:
    """Return the first of some names."""
    every = list(names)
    return ", ".join(every[:SHOWN]) + (", …" if len(every) > SHOWN else "")


def _size(
    path: Path,
    every: Sequence[Traits],
    height: int | None,
    width: int | None,
    decisions: list[tuple[str, str, str]],
) -> tuple[int, int]:
    counts = Counter(one.size for one in every)
    # Of equally many the smaller one, whatever comes first
    usual = min(counts, key=lambda size: (-counts[size], size))
    options = "--image.height {} --image.width {}"
    if len(counts) > 1 and not (height and width):
        others = [f"{one.name}: {_by(one.size)}" for one in every if one.size != usual]
        raise DataError(
            f"{path}: the pictures differ in size: {counts[usual]:,} of {len(every):,} are "
            f"{_by(usual)} pixels (height x width), {len(others):,} are not ({shown(others)}).",
            "To scale all to one size, set it, such as "
            f"{options.format(*(max(SMALLEST, min(LARGEST, side)) for side in usual))}; or remove "
            "those of other sizes.",
        )
    size = (height or usual[0], width or usual[1])
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise DataError(
            f"{path}: the pictures are {_by(size)} pixels (height x width); expected {SMALLEST} to "
            f"{LARGEST:,} per side.",
            f"Set a size to which they are scaled, such as {options.format(28, 28)}.",
        )
    scaled = len(every) - counts[size]
    if scaled:
        why = f"{scaled:,} of {len(every):,} have another size"
        decisions.append(
            (f"pictures scaled to {_by(size)} (Lanczos)", why, options.format("…", "…"))
        )
    return size


def _channels(
    every: Sequence[Traits], given: int | None, decisions: list[tuple[str, str, str]]
) -> int:
    coloured = [one.name for one in every if one.coloured]
    transparent = [one.name for one in every if one.transparent]
    channels = given or (3 if coloured else 1)
    option = "--image.channels {}"
    if coloured and channels < 3:
        why = f"{len(coloured):,} of {len(every):,} have colours ({shown(coloured)})"
        decisions.append(("colours turned grey (ITU-R 601)", why, option.format(3)))
    elif coloured and len(coloured) < len(every):
        why = f"{len(coloured):,} of {len(every):,} have colours ({shown(coloured)})"
        decisions.append(("grey pictures taken as coloured ones", why, option.format(1)))
    elif channels == 1 and any(one.channels > 2 for one in every):
        why = "no pixel of the colour pictures has a colour"
        decisions.append(("colour pictures taken as grey ones", why, option.format(3)))
    if transparent and channels in (1, 3):
        why = f"{len(transparent):,} of {len(every):,} are not opaque ({shown(transparent)})"
        decisions.append(("transparent pixels shown on white", why, option.format(channels + 1)))
    return channels


def _dtype(
    path: Path, every: Sequence[Traits], decisions: list[tuple[str, str, str]]
) -> np.dtype[Any]:
    counts = Counter(one.dtype for one in every)
    if len(counts) == 1:
        return np.dtype(next(iter(counts)))
    if set(counts) <= {"uint8", "uint16"}:
        why = f"{counts['uint16']:,} of {len(every):,} have 16 bits"
        decisions.append(("pictures of 8 bits taken as ones of 16 bits (times 257)", why, ""))
        return np.dtype(np.uint16)
    usual = max(sorted(counts), key=lambda dtype: counts[dtype])
    others = [f"{one.name}: {one.dtype}" for one in every if one.dtype != usual]
    raise DataError(
        f"{path}: the pictures differ in their kind of values: most have {usual}, "
        f"{len(others):,} have others ({shown(others)}).",
        "Save all with the same kind, or remove those that differ.",
    )


def _warnings(every: Sequence[Traits]) -> tuple[str, ...]:
    several = [one.name for one in every if one.frames > 1]
    reduced = [one.name for one in every if one.reduced]
    lines = []
    if several:
        lines.append(f"{len(several):,} files hold several pictures, of which the first "
                     f"is taken: {shown(several)}.")  # fmt: skip
    if reduced:
        lines.append(f"{len(reduced):,} pictures have colours of 16 bits, of which the "
                     f"upper 8 are taken: {shown(reduced)}.")  # fmt: skip
    return tuple(lines)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]:,} x {size[1]:,}"


def _deepened(pixels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Bring 8 bits to 16: 255 is 65,535 there."""
    if pixels.dtype == dtype:
        return pixels
    return pixels.astype(np.uint16) * np.uint16(257)


def _on_white(pixels: NDArray[Any]) -> NDArray[Any]:
    """Lay what is not opaque over white, rounding to the nearest value; the opacity goes."""
    white = int(np.iinfo(pixels.dtype).max)
    colours, opacity = pixels[:, :, :-1].astype(np.int64), pixels[:, :, -1:].astype(np.int64)
    laid = (colours * opacity + white * (white - opacity) + white // 2) // white
    opaque: NDArray[Any] = laid.astype(pixels.dtype)
    return opaque


def _with_channels(pixels: NDArray[Any], channels: int) -> NDArray[Any]:
    """Bring pixels to 1 (grey), 2 (and opacity), 3 (colour) or 4 channels (and opacity)."""
    found = pixels.shape[2]
    if found == channels:
        return pixels
    colours = pixels[:, :, :-1] if found in (2, 4) else pixels
    if channels in (1, 2):
        colours = _grey(colours)
    elif colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    if channels in (1, 3):
        return colours
    full = np.full_like(pixels[:, :, :1], _opaque(pixels.dtype))
    return np.concatenate([colours, pixels[:, :, -1:] if found in (2, 4) else full], axis=2)


def _opaque(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).max) if dtype.kind == "u" else 1


def _grey(colours: NDArray[Any]) -> NDArray[Any]:
    """Weigh red, green and blue as ITU-R 601 does, in Pillow's own whole numbers."""
    if colours.shape[2] == 1 or (colours == colours[:, :, :1]).all():
        return colours[:, :, :1]
    weighed = colours.astype(np.int64) @ np.array([19595, 38470, 7471]) + 0x8000
    grey: NDArray[Any] = (weighed >> 16).astype(colours.dtype)[:, :, np.newaxis]
    return grey


def _scaled(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Scale each channel, rounding to the nearest value that the type has."""
    channels = []
    for index in range(pixels.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(pixels[:, :, index], dtype=np.float32))
        channels.append(np.asarray(plane.resize((width, height), Image.Resampling.LANCZOS)))
    scaled = np.stack(channels, axis=2)
    if pixels.dtype.kind == "f":
        return scaled
    limits = np.iinfo(pixels.dtype)
    whole: NDArray[Any] = np.clip(np.rint(scaled), limits.min, limits.max).astype(pixels.dtype)
    return whole
