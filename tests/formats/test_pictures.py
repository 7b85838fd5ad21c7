"""Folders of pictures, as Pillow and people write them: classes, modes, sizes, broken files."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tasks.formats.errors import DataError
from tasks.formats.pictures import read_pictures
from tests.formats.support import pixels_of

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 9, 7), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 9, 7, 3), dtype=np.uint8)


def save(path, pixels, mode=None, **options):
    """Write one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    (picture if mode is None else picture.convert(mode)).save(path, **options)


def sides(height=None, width=None, channels=None):
    """Settings of an image."""
    return SimpleNamespace(height=height, width=width, channels=channels)


def rows(images):
    """Flatten images."""
    return images.reshape(len(images), -1)


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tiff", "pgm", "PNG"])
@pytest.mark.parametrize("wrapped", ["", "notMNIST_small/"])
def test_a_folder_per_class_gives_labels(tmp_path, ending, wrapped):
    """In the order of the names; a folder around all of them is no class."""
    for index, image in enumerate(GREY):
        save(tmp_path / f"{wrapped}{'ABC'[index % 3]}" / f"{index}.{ending}", image)
    found = read_pictures(tmp_path)
    pixels, labels = pixels_of(found, 4)

    assert found.shape == (9, 7, 1)
    assert found.count == 6
    assert labels.tolist() == ["A", "A", "B", "B", "C", "C"]
    assert np.array_equal(pixels, rows(GREY[[0, 3, 1, 4, 2, 5]]))
    assert list(found.names)[:2] == [f"{wrapped}A/0.{ending}", f"{wrapped}A/3.{ending}"]
    assert (found.decisions, found.warnings) == ((), ())
    assert found.form.startswith("pictures, ")


def test_numbers_as_names_of_classes_are_numbers(tmp_path):
    """As in any other form of the same data."""
    for name in ("0", "10", "2"):
        save(tmp_path / name / "a.png", GREY[0])
    _, labels = pixels_of(read_pictures(tmp_path))

    assert labels.dtype == np.uint32
    assert labels.tolist() == [0, 10, 2]


@pytest.mark.parametrize("folder", ["", "images/"])
def test_pictures_without_folders_of_classes_have_no_labels(tmp_path, folder):
    """One folder is no class."""
    for index, image in enumerate(GREY):
        save(tmp_path / f"{folder}{index}.png", image)
    pixels, labels = pixels_of(read_pictures(tmp_path))

    assert labels is None
    assert np.array_equal(pixels, rows(GREY))


def test_what_systems_leave_behind_is_ignored(tmp_path):
    """Hidden files, Thumbs.db, __MACOSX, texts."""
    save(tmp_path / "A" / "1.png", GREY[0])
    save(tmp_path / "B" / "1.png", GREY[1])
    for name in ("A/.DS_Store", "A/._1.png", "__MACOSX/A/1.png", "A/Thumbs.db", ".git/1.png",
                 "A/list.txt", "desktop.ini"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = read_pictures(tmp_path)

    assert list(found.names) == ["A/1.png", "B/1.png"]
    assert found.warnings == ()


def test_empty_and_broken_pictures_are_counted_and_named(tmp_path):
    """As notMNIST itself has some; the others are read without them."""
    for index, image in enumerate(GREY):
        save(tmp_path / "A" / f"{index}.png", image)
    content = (tmp_path / "A" / "0.png").read_bytes()
    (tmp_path / "A" / "0.png").write_bytes(b"")
    (tmp_path / "A" / "2.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "A" / "4.png").write_bytes(b"<html>not found</html>")
    (tmp_path / "A" / "9.png").write_bytes(content.replace(b"IDAT", b"IDAX"))
    found = read_pictures(tmp_path)

    assert np.array_equal(pixels_of(found)[0], rows(GREY[[1, 3, 5]]))
    assert len(found.warnings) == 1
    assert str(tmp_path) not in found.warnings[0]  # equal folders elsewhere are the same input
    assert (
        "4 of 7 pictures cannot be read and are left out: A/0.png, A/2.png, A/4.png, …"
        in (found.warnings[0])
    )


def test_a_folder_of_broken_pictures_alone_is_refused(tmp_path):
    """And one without any."""
    with pytest.raises(DataError, match="no picture below it"):
        read_pictures(tmp_path)
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of its 1 pictures can be read \(1\.png\)"):
        read_pictures(tmp_path)


def test_pictures_beside_classes_are_asked_about(tmp_path):
    """Their class is unknown; moving them away works."""
    save(tmp_path / "A" / "1.png", GREY[0])
    save(tmp_path / "B" / "1.png", GREY[1])
    save(tmp_path / "preview.png", GREY[2])

    with pytest.raises(DataError, match=r"1 pictures are next to folders .*preview\.png") as caught:
        read_pictures(tmp_path)
    assert "out of the way" in caught.value.advice
    (tmp_path / "preview.png").unlink()
    assert pixels_of(read_pictures(tmp_path))[1].tolist() == ["A", "B"]


def test_pictures_of_several_sizes_are_scaled_where_a_size_is_given(tmp_path):
    """Without one they are refused, with the most frequent size as the next step."""
    for index, image in enumerate(GREY):
        save(tmp_path / f"{index}.png", image)
    save(tmp_path / "large.png", np.full((20, 30), 77, np.uint8))

    with pytest.raises(DataError, match=r"6 of 7 are 9 x 7 pixels .*large\.png: 20 x 30") as caught:
        read_pictures(tmp_path)
    assert "--image.height 9 --image.width 7" in caught.value.advice
    found = read_pictures(tmp_path, sides(9, 7))
    assert np.array_equal(pixels_of(found)[0][:6], rows(GREY))
    assert (pixels_of(found)[0][6] == 77).all()
    assert found.decisions[0][:2] == (
        "pictures scaled to 9 x 7 (Lanczos)", "1 of 7 have another size"
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 3), (2, 5000)])
def test_a_size_that_no_network_takes_is_to_be_set(tmp_path, shape):
    """The options of the message lead to images."""
    save(tmp_path / "1.png", np.zeros(shape, np.uint8))

    with pytest.raises(DataError, match="expected 4 to 4,096 per side") as caught:
        read_pictures(tmp_path)
    assert "--image.height 28 --image.width 28" in caught.value.advice
    assert read_pictures(tmp_path, sides(28, 28)).shape == (28, 28, 1)


def palette(pixels):
    """A picture with a palette of the colours that it has."""
    return Image.fromarray(pixels).quantize(256)


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [
        ("1 bit", Image.fromarray(GREY[0] > 127), (GREY[0] > 127) * 255),
        ("grey", Image.fromarray(GREY[0]), GREY[0]),
        ("grey palette", Image.fromarray(GREY[0]).convert("P"), GREY[0]),
        ("grey in colour", Image.fromarray(GREY[0]).convert("RGB"), GREY[0]),
        ("colour", Image.fromarray(COLOUR[0]), COLOUR[0]),
        ("colour palette", palette(COLOUR[0]), np.asarray(palette(COLOUR[0]).convert("RGB"))),
        ("opaque", Image.fromarray(COLOUR[0]).convert("RGBA"), COLOUR[0]),
        ("16 bits", Image.fromarray(GREY[0].astype(np.uint16) * 200),
         GREY[0].astype(np.uint16) * 200),
    ],
)  # fmt: skip
def test_every_mode_of_png_has_its_pixels(tmp_path, name, picture, expected):
    """Whatever the file's colour type: what one sees, as bytes or, where it has them, 16 bits."""
    picture.save(tmp_path / "1.png")
    found = read_pictures(tmp_path)
    pixels, _ = pixels_of(found)

    assert found.shape == (9, 7, expected.size // 63)
    assert pixels.dtype == (np.uint16 if expected.dtype == np.uint16 else np.uint8)
    assert np.array_equal(pixels[0], expected.ravel())


def test_transparent_pixels_are_shown_on_white(tmp_path):
    """As viewers do; a decision says so, and its option keeps the opacity."""
    pixels = np.dstack([COLOUR[0], GREY[0]])
    save(tmp_path / "1.png", pixels)
    white = Image.new("RGBA", (7, 9), "white")
    white.alpha_composite(Image.fromarray(pixels))
    found = read_pictures(tmp_path)
    shown = pixels_of(found)[0][0].astype(int)

    assert np.abs(shown - np.asarray(white.convert("RGB")).ravel()).max() <= 1
    assert found.decisions[0][0] == "transparent pixels shown on white"
    assert found.decisions[0][2] == "--image.channels 4"
    kept = read_pictures(tmp_path, sides(channels=4))
    assert np.array_equal(pixels_of(kept)[0][0], pixels.ravel())


def test_a_transparent_colour_of_a_palette_is_white_too(tmp_path):
    """As in GIF."""
    picture = Image.fromarray((GREY[0] > 127).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 10, 10, 10])
    picture.save(tmp_path / "1.gif", transparency=0)

    pixels, _ = pixels_of(read_pictures(tmp_path))
    assert np.array_equal(pixels[0], np.where(GREY[0] > 127, 10, 255).ravel())


def test_grey_and_coloured_pictures_become_coloured(tmp_path):
    """Nothing is lost; the option of the decision makes all grey, as Pillow does."""
    save(tmp_path / "1.png", GREY[0])
    save(tmp_path / "2.png", COLOUR[1])
    found, grey = read_pictures(tmp_path), read_pictures(tmp_path, sides(channels=1))

    assert np.array_equal(pixels_of(found)[0][0], np.repeat(GREY[0].ravel(), 3))
    assert np.array_equal(pixels_of(found)[0][1], COLOUR[1].ravel())
    assert found.decisions == (
        ("grey pictures taken as coloured ones", "1 of 2 have colours (2.png)",
         "--image.channels 1"),
    )  # fmt: skip
    expected = np.asarray(Image.fromarray(COLOUR[1]).convert("L")).ravel()
    assert np.array_equal(pixels_of(grey)[0], [GREY[0].ravel(), expected])
    assert grey.decisions[0][0] == "colours turned grey (ITU-R 601)"


def test_coloured_files_without_a_colour_are_grey(tmp_path):
    """As JPEG files of letters are; a decision says so."""
    save(tmp_path / "1.png", GREY[0], "RGB")
    found = read_pictures(tmp_path)

    assert found.shape == (9, 7, 1)
    assert found.decisions[0][2] == "--image.channels 3"
    kept = read_pictures(tmp_path, sides(channels=3))
    assert np.array_equal(pixels_of(kept)[0][0], np.repeat(GREY[0].ravel(), 3))


def test_8_bits_among_16_are_made_16(tmp_path):
    """255 is 65,535 there, exactly."""
    save(tmp_path / "1.png", GREY[0])
    save(tmp_path / "2.png", GREY[1].astype(np.uint16) * 3)
    pixels, _ = pixels_of(read_pictures(tmp_path))

    assert np.array_equal(pixels[0], GREY[0].ravel().astype(int) * 257)
    assert np.array_equal(pixels[1], GREY[1].ravel().astype(int) * 3)


def test_floating_point_tiff_keeps_its_values(tmp_path):
    """Among bytes it is refused: nobody can tell what its values mean there."""
    save(tmp_path / "1.tif", GREY[0].astype(np.float32) / 255)
    pixels, _ = pixels_of(read_pictures(tmp_path))

    assert np.array_equal(pixels[0], (GREY[0].astype(np.float32) / 255).ravel())
    save(tmp_path / "2.png", GREY[0])
    save(tmp_path / "3.png", GREY[1])
    with pytest.raises(DataError, match=r"most have uint8, 1 have others \(1\.tif: float32\)"):
        read_pictures(tmp_path)
    (tmp_path / "1.tif").unlink()  # the advice: remove those that differ
    assert pixels_of(read_pictures(tmp_path))[0].shape == (2, 63)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_is_what_pillow_decodes(tmp_path, mode):
    """Also with four colours of print."""
    save(tmp_path / "1.jpg", COLOUR[0], mode)
    expected = np.asarray(Image.open(tmp_path / "1.jpg").convert("L" if mode == "L" else "RGB"))

    assert np.array_equal(pixels_of(read_pictures(tmp_path))[0][0], expected.ravel())


def test_a_camera_held_upright_gives_an_upright_picture(tmp_path):
    """The EXIF data of the file say so; height and width change places."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(GREY[0]).save(tmp_path / "1.png", exif=exif)
    found = read_pictures(tmp_path)

    assert found.shape == (7, 9, 1)
    assert np.array_equal(pixels_of(found)[0][0], np.rot90(GREY[0], -1).ravel())


def test_of_several_frames_the_first_is_taken_and_said(tmp_path):
    """Animated GIF, TIFF of several pages."""
    pages = [Image.fromarray(image) for image in GREY[:3]]
    pages[0].save(tmp_path / "1.tif", save_all=True, append_images=pages[1:])
    found = read_pictures(tmp_path)

    assert np.array_equal(pixels_of(found)[0], rows(GREY[:1]))
    assert "1 files hold several pictures, of which the first is taken: 1.tif" in found.warnings[0]


def test_a_picture_made_to_fill_the_memory_counts_as_broken(tmp_path):
    """Its size stands in its header, before anything is decoded."""
    save(tmp_path / "1.png", GREY[0])
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    Image.new("1", (10_000, 9_500)).save(tmp_path / "firecracker.png")
    found = read_pictures(tmp_path)

    assert found.count == 1
    assert "2 of 3 pictures cannot be read" in found.warnings[0]


def test_a_place_names_the_file_the_row_and_the_column(tmp_path):
    """For whoever complains of a value."""
    save(tmp_path / "A" / "1.png", COLOUR[0])
    save(tmp_path / "B" / "2.png", COLOUR[1])

    assert read_pictures(tmp_path).place(1, (4 * 7 + 2) * 3 + 1) == "B/2.png, row 5, column 3"


def test_a_picture_that_vanishes_between_two_readings_is_said(tmp_path):
    """Not left out in silence, which would move all labels behind it."""
    save(tmp_path / "1.png", GREY[0])
    save(tmp_path / "2.png", GREY[1])
    found = read_pictures(tmp_path)
    (tmp_path / "2.png").write_bytes(b"")

    with pytest.raises(DataError, match=r"2\.png: it could be read a moment ago"):
        list(found.parts(10))


def test_folders_that_are_links_are_followed_once(tmp_path):
    """Data are often linked from another disk; a link that leads back ends."""
    save(tmp_path / "disk" / "1.png", GREY[0])
    data = tmp_path / "data"
    (data / "B").mkdir(parents=True)
    shutil.copy(tmp_path / "disk" / "1.png", data / "B" / "2.png")
    (data / "A").symlink_to(tmp_path / "disk")
    (data / "B" / "back").symlink_to(data)

    assert list(read_pictures(data).names) == ["A/1.png", "B/2.png"]
