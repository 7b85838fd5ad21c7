"""Images as text that stands in an HTML page."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return an image as the address that holds it, a PNG.

    Args:
        pixels: uint8 (height, width, 3); what has no colour is written as grey.
    """
    grey = bool((pixels == pixels[:, :, :1]).all())
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if grey else pixels).save(file, "PNG", optimize=True)
    return png_file_uri(file.getvalue())


def png_file_uri(content: bytes) -> str:
    """Return a PNG file as the address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
