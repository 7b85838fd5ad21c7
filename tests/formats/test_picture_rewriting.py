"""Pictures written again: format, mode, size and what they say of themselves."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.formats.errors import DataError
from tasks.formats.picture_files import BrokenPictureError
from tasks.formats.picture_rewriting import read_picture

GREY = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)


def picture(mode: str) -> Image.Image:
    """Return a picture of 20 x 30 pixels in one of Pillow's modes."""
    if mode == "I;16":
        return Image.fromarray(GREY.astype(np.uint16) * 257)
    if mode in ("RGB", "RGBA", "CMYK"):
        image = Image.fromarray(COLOUR).convert(mode)
    elif mode == "P":
        return Image.fromarray(COLOUR).quantize(17)
    else:
        image = Image.fromarray(GREY).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(GREY.T.copy().reshape(20, 30)))
    return image


def again(path: Path, change=lambda pixels: pixels) -> Image.Image:
    """Return a picture written again with its pixels changed."""
    stored = read_picture(path)
    file = io.BytesIO()
    stored.write(change(stored.pixels), file)
    return Image.open(file)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_the_same_pixels_make_the_same_picture(tmp_path, mode):
    """Palettes and opacity included."""
    path = tmp_path / "a.png"
    before = picture(mode)
    before.save(path, dpi=(72, 72))

    after = again(path)

    assert (after.mode, after.size, after.format) == (Image.open(path).mode, (30, 20), "PNG")
    assert np.array_equal(np.asarray(after), np.asarray(Image.open(path)))
    assert after.getpalette() == Image.open(path).getpalette()
    assert after.info["dpi"] == pytest.approx((72, 72), abs=0.1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
def test_other_pixels_leave_the_opacity(tmp_path, mode):
    """A negative has the colours turned around and the same opacity."""
    path = tmp_path / "a.png"
    picture(mode).save(path)

    before, after = (np.asarray(one).astype(int) for one in
                     (Image.open(path), again(path, lambda pixels: 1 - pixels)))  # fmt: skip

    white = {"1": 1, "I;16": 65535}.get(mode, 255)
    colours = slice(None) if before.ndim == 2 else slice(3 if before.shape[2] > 2 else 1)
    if before.ndim == 2:
        assert (after == white - before).all()
    else:
        assert (after[:, :, colours] == white - before[:, :, colours]).all()
        assert (after[:, :, colours.stop :] == before[:, :, colours.stop :]).all()


def test_a_palette_keeps_what_is_seen_through(tmp_path):
    """Pixels of the transparent colour stay, the others get the nearest colour."""
    path = tmp_path / "a.png"
    before = picture("P")
    before.save(path, transparency=3)

    after = again(path, lambda pixels: 1 - pixels)

    assert after.mode == "P"
    assert after.info["transparency"] == 3
    places = np.asarray(Image.open(path)) == 3
    assert (np.asarray(after)[places] == 3).all()
    assert after.getpalette() == Image.open(path).getpalette()


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF"])
def test_other_formats_stay_what_they_are(tmp_path, form):
    """JPEG with its tables of quantisation, so that it loses no more than it has."""
    path = tmp_path / f"a.{form.lower()}"
    smooth = np.add.outer(np.arange(20), np.arange(30)).astype(np.uint8) * 4
    Image.fromarray(smooth).save(path, form)

    after = again(path)

    assert (after.format, after.size) == (form, (30, 20))
    before = np.asarray(Image.open(path).convert("L")).astype(int)
    assert np.abs(np.asarray(after.convert("L")) - before).max() <= 3
    if form == "JPEG":
        assert after.quantization == Image.open(path).quantization


def test_what_cannot_be_written_back_is_refused_with_a_step_that_works(tmp_path):
    """The line in the message converts the picture."""
    path = tmp_path / "a.jpg"
    picture("CMYK").save(path)
    with pytest.raises(DataError, match="stored as CMYK") as refused:
        read_picture(path)

    code = refused.value.advice.partition(": ")[2].removesuffix(".").replace("FILE", "'a.jpg'")
    subprocess.run([sys.executable, "-c", f"import PIL.Image; {code}"], cwd=tmp_path, check=True)

    assert again(tmp_path / "picture.png").mode == "RGB"


def test_several_pictures_in_one_file_are_refused(tmp_path):
    """Rather than losing all but the first."""
    picture("P").save(tmp_path / "a.gif", save_all=True, append_images=[picture("L")])

    with pytest.raises(DataError, match="holds 2 pictures"):
        read_picture(tmp_path / "a.gif")


def test_a_broken_picture_is_called_so(tmp_path):
    """One that is cut short."""
    picture("L").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])

    with pytest.raises(BrokenPictureError):
        read_picture(tmp_path / "b.png")
