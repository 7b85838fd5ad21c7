"""Picture files written again with other pixels: format, mode, size and metadata stay."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from tasks.formats.errors import DataError
from tasks.formats.picture_files import ERRORS, FORMATS, MOST_PIXELS, BrokenPictureError

Images = NDArray[np.float32]
SCALES = {"1": 1, "L": 255, "LA": 255, "P": 255, "RGB": 255, "RGBA": 255,
          "I;16": 65535, "I;16B": 65535, "I;16L": 65535}  # fmt: skip
"""The value of white, by Pillow's modes that are written back."""
KEPT = ("icc_profile", "exif", "dpi", "transparency", "gamma")
"""What a picture says of itself beside its pixels."""


@dataclass(frozen=True)
class StoredPicture:
    """A picture, decoded but not changed in any way."""

    path: Path
    image: Image.Image

    @property
    def pixels(self) -> Images:
        """The colours, (h, w, 1) or (h, w, 3) in [0, 1], without the opacity; as they lie in the
        file, whatever its EXIF data say of up and down."""
        mode, image = self.image.mode, self.image
        if mode == "P":
            image = image.convert("RGB")
        elif mode == "1":
            image = image.convert("L")
        values = np.asarray(image)
        values = values.reshape(*values.shape[:2], -1)
        if mode == "P" and (values == values[:, :, :1]).all():
            values = values[:, :, :1]
        colours = values[:, :, :1] if mode == "LA" else values[:, :, :3]
        white = 65535 if mode.startswith("I;16") else 255
        return np.asarray(np.divide(colours, white, dtype=np.float32))

    def write(self, pixels: Images, target: BinaryIO) -> None:
        """Write the picture with other colours.

        Args:
            pixels: As the property of this name.
            target: Where the file goes.
        """
        form = self.image.format or "PNG"
        kept = {name: self.image.info[name] for name in KEPT if name in self.image.info}
        self._with(pixels).save(target, form, **kept, **self._coding(form))

    def _with(self, pixels: Images) -> Image.Image:
        image, mode = self.image, self.image.mode
        values = np.rint(pixels * SCALES[mode])
        if mode.startswith("I;16"):
            order = ">u2" if mode == "I;16B" else "<u2"
            whole = values[:, :, 0].astype(order)
            return Image.frombytes(mode, image.size, whole.tobytes())
        whole = values.astype(np.uint8)
        if mode == "1":
            return Image.fromarray(whole[:, :, 0] * np.uint8(255)).convert("1")
        if mode == "P":
            return self._in_palette(whole)
        if mode in ("LA", "RGBA"):
            opacity = np.asarray(image.getchannel("A"))[:, :, np.newaxis]
            whole = np.concatenate([whole, opacity], axis=2)
        return Image.fromarray(whole[:, :, 0] if mode == "L" else whole)

    def _in_palette(self, colours: NDArray[np.uint8]) -> Image.Image:
        """Return the nearest colours that the picture has; what is not opaque stays as it is."""
        image = self.image
        whole = np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))
        made = Image.fromarray(whole).quantize(palette=image, dither=Image.Dither.NONE)
        seen_through = np.asarray(image.convert("RGBA"))[:, :, 3] < 255
        places = np.where(seen_through, np.asarray(image), np.asarray(made))
        made.frombytes(places.astype(np.uint8).tobytes())
        return made

    def _coding(self, form: str) -> dict[str, Any]:
        """Return how a format codes pixels, as far as that loses anything."""
        if form == "JPEG":
            image: Any = self.image
            return {"qtables": image.quantization,
                    "subsampling": JpegImagePlugin.get_sampling(image)}  # fmt: skip
        if form == "WEBP":
            return {"lossless": True}
        if form == "TIFF" and "compression" in self.image.info:
            return {"compression": self.image.info["compression"]}
        return {}


def read_picture(path: Path) -> StoredPicture:
    """Decode a picture that is to be written again.

    Raises:
        BrokenPictureError: If it is broken, empty, too large, or no picture.
        DataError: If it is one that cannot be written back as it was.
        OSError: If the disk does not answer.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BrokenPictureError(f"it has {image.width:,} x {image.height:,} pixels")
            frames = int(getattr(image, "n_frames", 1))
            image.load()
    except ERRORS as error:
        raise BrokenPictureError(str(error) or type(error).__name__) from error
    if frames > 1:
        raise DataError(
            f"{path}: it holds {frames} pictures, of which only one would be written back.",
            "Save each as a file of its own.",
        )
    if image.mode not in SCALES:
        raise DataError(
            f"{path}: its colours are stored as {image.mode}, which is not written back.",
            "Convert it, in Python: PIL.Image.open(FILE).convert('RGB').save('picture.png').",
        )
    return StoredPicture(path, image)
