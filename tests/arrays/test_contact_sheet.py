"""The contact sheet: images side by side, with labels, in a figure and in a terminal."""

import numpy as np
import pytest
from rich.text import Text

from autoencoders.figures.contact_sheet import contact_sheet
from autoencoders.images.half_blocks import half_blocks
from autoencoders.images.mosaic import GAP, mosaic, reduced

RNG = np.random.default_rng(0)


def drawn(count, height, width, channels):
    """Random images."""
    return RNG.integers(0, 256, (count, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_mosaic_has_every_pixel_of_every_image(count, channels):
    """In rows of three, grey lines between; empty places are grey too."""
    images = drawn(count, 5, 4, channels)
    found = mosaic(images, 3)
    rows = -(-count // 3)

    assert found.shape == (rows * 6 + 1, 16, 3)
    for index in range(rows * 3):
        top, left = 6 * (index // 3) + 1, 5 * (index % 3) + 1
        place = found[top : top + 5, left : left + 4]
        if index >= count:
            assert (place == GAP).all()
        elif channels > 2:
            assert np.array_equal(place, images[index, :, :, :3])
        else:
            assert np.array_equal(place, np.repeat(images[index, :, :, :1], 3, axis=2))
    assert (found[::6] == GAP).all()
    assert (found[:, ::5] == GAP).all()


def test_wide_images_are_reduced_to_their_means():
    """Small ones stay as they are."""
    images = drawn(2, 8, 16, 1)
    found = reduced(images, 8)
    means = images[..., 0].reshape(2, 4, 2, 8, 2).mean(axis=(2, 4))

    assert found.shape == (2, 4, 8, 3)
    assert np.abs(found[..., 0] - means).max() <= 1  # rounded twice
    assert np.array_equal(reduced(images, 16)[..., 1], images[..., 0])


@pytest.mark.parametrize("height", [6, 5])
def test_half_blocks_show_two_pixels_per_character(height):
    """Read back from the escape sequences by Rich, as it prints them."""
    picture = drawn(1, height, 7, 3)[0]
    lines = Text.from_ansi(half_blocks(picture)).split("\n")

    assert [len(line) for line in lines] == [7] * 3
    for row, line in enumerate(lines):
        for column in range(7):
            style = line.get_style_at_offset(_console(), column)
            assert tuple(style.color.triplet) == tuple(picture[2 * row, column])
            below = picture[2 * row + 1, column] if 2 * row + 1 < height else (0, 0, 0)
            assert tuple(style.bgcolor.triplet) == tuple(below)


def _console():
    from rich.console import Console

    return Console()


def test_one_colour_is_one_sequence():
    """A black picture is short."""
    text = half_blocks(np.zeros((2, 50, 3), np.uint8))

    assert text == "\x1b[38;2;0;0;0;48;2;0;0;0m" + "▀" * 50 + "\x1b[0m"


@pytest.mark.parametrize("shape", [(28, 28, 1), (5, 60, 3), (60, 5, 4), (7, 5, 2)])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_contact_sheet_shows_each_split_with_its_labels(shape, labelled, tmp_path):
    """Images of any size and number of channels; labels above them, if there are any."""
    images = {"train": drawn(13, *shape), "test": drawn(2, *shape)}
    labels = {
        "train": [str(n) for n in range(12)] + ["a long $name$"] if labelled else None,
        "test": None,
    }
    figure = contact_sheet(images, labels)
    figure.savefig(tmp_path / "sheet.png", dpi=50)
    train, test = figure.axes

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["train", "test"]
    assert (len(train.images), len(test.images)) == (2, 1)
    assert [text.get_text() for text in train.texts] == (
        [*map(str, range(12)), r"a long \$…"] if labelled else []
    )
    assert list(test.texts) == []
