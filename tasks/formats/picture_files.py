"""One picture file, PNG, JPEG and others, as an array; Pillow reads it."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM", "WEBP")
"""What is read; Pillow knows others, some of which start programs."""
MOST_PIXELS = 1 << 26
"""Pixels of a picture that is decoded; what has more is broken, or made to fill the memory."""
ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    MemoryError, AttributeError, NotImplementedError, struct.error, zlib.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
"""What Pillow raises for broken files, among others."""


class BrokenPictureError(Exception):
    """A file is no picture that can be read whole."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture."""

    pixels: NDArray[Any]
    """(h, w, channels): grey, grey and opacity, colour, or colour and opacity; uint8, uint16, or a
    wider type where the file has one."""
    format: str
    """Of the file: PNG, JPEG, …"""
    frames: int
    """How many pictures the file holds, of which this is the first."""
    reduced: bool
    """Whether Pillow has reduced 16 bits per value to 8, as it does with colour."""

    @property
    def opacity(self) -> bool:
        """Whether the last channel is the opacity."""
        return self.pixels.shape[2] in (2, 4)


def decode(source: Path | bytes) -> Picture:
    """Decode a picture, upright as its EXIF data say.

    Args:
        source: The file, or its content.

    Raises:
        BrokenPictureError: If it is broken, empty, too large, or no picture.
        OSError: If the disk does not answer.
    """
    try:
        # Opened here: for an error of the disk, not of the picture, which Pillow may hide
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        if error.errno is None:
            raise BrokenPictureError(str(error)) from error
        raise
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BrokenPictureError(f"it has {image.width:,} x {image.height:,} pixels")
            kind, frames = image.format or "", int(getattr(image, "n_frames", 1))
            reduced = image.mode.startswith("RGB") and any(
                "16" in str(tile[3]) for tile in image.tile
            )
            image.load()
            pixels = _pixels(ImageOps.exif_transpose(image))
    except ERRORS as error:
        raise BrokenPictureError(str(error) or type(error).__name__) from error
    return Picture(pixels, kind, frames, reduced)


def _pixels(image: Image.Image) -> NDArray[Any]:
    """Return (h, w, channels) of an image in any of Pillow's modes."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[:, :, np.newaxis]
    if image.mode in ("I", "F"):
        values = np.asarray(image)[:, :, np.newaxis]
        whole = image.mode == "I" and values.min() >= 0 and values.max() <= 65535
        return values.astype(np.uint16) if whole else values
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if grey else "RGBA") if image.has_transparency_data else "L" if grey else "RGB"
    values = np.asarray(image if image.mode == mode else image.convert(mode))
    values = values.reshape(image.height, image.width, len(mode))
    if image.mode in ("P", "PA") and (values[:, :, :3] == values[:, :, :1]).all():
        return values[:, :, [0, 3] if mode == "RGBA" else [0]]  # a palette of greys
    return values
