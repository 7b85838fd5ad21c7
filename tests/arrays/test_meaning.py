"""What values mean: ranges, shapes, arrangement, and images told apart by number."""

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from autoencoders.images.fingerprint import drawn_for_test, fingerprints
from autoencoders.images.layout import (
    along_rows,
    border_shares,
    by_pixel,
    find_order,
    label_among_pixels,
)
from autoencoders.images.meaning import decide, decide_shape
from autoencoders.images.shape import candidates, find_shape
from autoencoders.images.survey import MOST_ROWS, Survey, traits
from autoencoders.settings import ImageSettings

SHAPE = (16, 16, 1)


def smooth(count, shape=SHAPE, seed=0):
    """Draw images whose neighbours are alike, uint8 (n, height * width * channels), 0 and 255."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    phases = rng.uniform(0, 6, (count, 1, 1, channels))
    waves = np.sin(rng.uniform(2, 5, (count, 1, 1, 1)) * (down + 2 * right)[..., None] + phases)
    images = np.rint((waves * 0.5 + 0.5) * 255).astype(np.uint8).reshape(count, -1)
    images[0, :2] = 0, 255
    return images


IMAGES = smooth(200)
KNOWN = [1319258618394886223, 3151436656517884193]


def meaning(values, shape=SHAPE, **given):
    survey = Survey()
    survey.add(values)
    return decide(shape, traits([survey]), survey.sample(), ImageSettings(**given),
                  layout_known=False)  # fmt: skip


def assert_read_as(values, name, expected=IMAGES, error=0.01):
    found = meaning(values)
    pixels, worst = found.images(values)
    assert found.range.name.startswith(name)
    assert np.array_equal(pixels, expected)
    assert worst <= error


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (IMAGES, "bytes"),
        (IMAGES.astype(np.int64), "bytes"),
        (IMAGES.astype(np.float32), "bytes"),
        (IMAGES + 1e-9, "0 to 255, not whole"),
        (IMAGES / 2.55, "percent, 0 to 100"),
        ((IMAGES / 2.55).astype(np.float32), "percent, 0 to 100"),
        ((IMAGES / 255).astype(np.float32), "0 to 1"),
        (IMAGES / 255 - 0.5, "-0.5 to 0.5"),
        ((IMAGES / 127.5 - 1).astype(np.float16).astype(np.float32), "-1 to 1"),
        (IMAGES / 255 * (1 + 1e-7), "0 to 1"),
        (IMAGES.astype(np.int64) - 128, "whole numbers from -128 to 127"),
        (IMAGES.astype(np.int8), "bytes stored with a sign"),
        (IMAGES.astype(np.uint16) * 257, "16 bits"),
        ((IMAGES - IMAGES.mean()) / IMAGES.std(), "standardised"),
    ],
    ids=["uint8", "int64", "whole floats", "nearly whole floats", "percent",
         "percent, float32", "0 to 1", "half", "-1 to 1",
         "a little above 1", "int8, shifted", "int8, wrapped", "16 bits", "standardised"],
)  # fmt: skip
def test_any_range_leads_back_to_the_bytes(values, name):
    """Exactly, since rounding to a byte undoes what scaling has lost."""
    assert_read_as(values, name, error=0.5)


def test_levels_and_black_and_white_are_spread_over_the_bytes():
    """16 is white, and so is 1 where there is nothing else; the rounding is stated."""
    levels = IMAGES.astype(int) * 16 // 255
    assert_read_as(levels, "levels from 0 to 16", np.rint(levels * (255 / 16)), 0.5)
    assert_read_as(levels.clip(0, 15), "levels", np.rint(levels.clip(0, 15) * (255 / 16)), 0.5)
    assert_read_as(IMAGES > 127, "black and white", (IMAGES > 127) * 255)


@pytest.mark.parametrize("values", [IMAGES / 80, IMAGES * 3.7 - 500.0, IMAGES / 255 + 0.7])
def test_an_unknown_range_is_refused_with_its_ends(values):
    """Both of them, as options."""
    with pytest.raises(PipelineError, match="not a usual range") as caught:
        meaning(values)
    black, white = f"{values.min():.6g}", f"{values.max():.6g}"
    assert f"--image.black {black} --image.white {white}" in caught.value.advice


def test_black_and_white_can_be_set_and_exchanged():
    """What the user says holds, whatever it looks like."""
    inverted = meaning(IMAGES, black=255, white=0)

    assert np.array_equal(inverted.images(IMAGES)[0], 255 - IMAGES)


def test_a_single_wrong_value_makes_no_other_range():
    """One 300 among bytes is a mistake; half of the values above 255 are not."""
    wrong = IMAGES.astype(int)
    wrong[5, 5] = 300

    assert meaning(wrong).range.name.startswith("bytes")
    assert meaning(wrong).range.outside(wrong).sum() == 1
    assert meaning(IMAGES.astype(int) * 4).range.name.startswith("10 bits")


@pytest.mark.parametrize("mark", [-1, 9, 99, -9999])
@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((IMAGES / 255).round(5), "0 to 1"),
        ((IMAGES > 127).astype(int), "black and white"),
        (IMAGES.astype(int) * 16 // 255, "levels"),
        (IMAGES / 255 - 0.5, "-0.5 to 0.5"),
    ],
    ids=["floats", "black and white", "levels", "half"],
)
def test_a_value_that_stands_for_a_missing_one_makes_no_other_range(values, name, mark):
    """One pixel of -1 would make grey of black everywhere; a mark that fits in is a value."""
    marked = np.array(values)
    marked[5, 3] = mark
    found = meaning(marked).range
    inside = name == "levels" and mark == 9

    assert found.name.startswith(name)
    assert found.outside(marked).sum() == (not inside)


def test_many_missing_pixels_make_no_other_range_where_levels_are_many():
    """A whole row, or a column; dark drawings with a little ink are no such case."""
    marked = IMAGES.astype(int)
    marked[:10] = -9999
    scaled = (IMAGES / 255).astype(np.float32)
    scaled[:, 40] = -1
    drawings = np.where(np.arange(256) % 150 == 7, IMAGES.max(1, keepdims=True), 0)
    drawings[:, 8] = IMAGES[:, 8] // 16

    assert meaning(marked).range.name.startswith("bytes, ")
    assert meaning(scaled).range.name == "0 to 1"
    assert meaning(drawings).range.name.startswith("bytes, ")
    assert meaning(np.where(drawings > 0, -1, 1)).range.name == "-1 to 1"


@pytest.mark.parametrize(
    ("values", "shape"),
    [(784, (28, 28, 1)), (64, (8, 8, 1)), (256, (16, 16, 1)), (1024, (32, 32, 1)),
     (2500, (50, 50, 1)), (4096, (64, 64, 1)), (3072, (32, 32, 3)), (2352, (28, 28, 3)),
     (12288, (64, 64, 3)), (785, None), (65, None), (560, None), (9, None), (2501, None),
     (3073, None), (257, None)],
)  # fmt: skip
def test_only_squares_in_grey_or_colour_are_plain(values, shape):
    """Where no other shape is as likely; one more value is none."""
    assert find_shape(values, ImageSettings()) == shape


def test_what_is_known_of_a_shape_decides_the_rest():
    """A side, both, or the channels."""
    assert find_shape(560, ImageSettings(height=28)) == (28, 20, 1)
    assert find_shape(560, ImageSettings(width=28)) == (20, 28, 1)
    assert find_shape(256, ImageSettings(channels=4)) == (8, 8, 4)
    assert find_shape(192, ImageSettings(height=6, width=16)) == (6, 16, 2)
    assert find_shape(192, ImageSettings(height=7)) is None
    assert (28, 20, 1) in candidates(560)


def test_a_shape_that_the_file_states_needs_no_guess_but_can_be_set():
    """An IDX file knows its sides; a user may know better."""
    assert decide_shape(560, (28, 20, 1), ImageSettings())[0] == (28, 20, 1)
    assert decide_shape(560, (28, 20, 1), ImageSettings(height=20))[0] == (20, 28, 1)


@pytest.mark.parametrize("shape", [(16, 16, 3), (12, 20, 3), (16, 16, 4)])
def test_colours_by_plane_are_told_from_colours_by_pixel(shape):
    """By their neighbours, and brought to one order."""
    height, width, channels = shape
    images = smooth(20, shape)
    planes = images.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).reshape(20, -1)

    assert find_order(images, shape) == "pixel"
    assert find_order(planes, shape) == "plane"
    assert np.array_equal(by_pixel(planes, shape), images)
    assert np.array_equal(meaning(planes, shape).images(planes)[0], images)
    noise = np.random.default_rng(0).integers(0, 256, (50, height * width * channels), np.uint8)
    assert find_order(noise, shape) is None


def test_images_stored_by_column_are_turned():
    """As EMNIST has them."""
    images = smooth(5, (4, 6, 1))
    columns = images.reshape(5, 4, 6).transpose(0, 2, 1).reshape(5, -1)

    assert np.array_equal(along_rows(columns, (4, 6, 1)), images)


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_label_among_the_pixels_is_found(place):
    """It shifts every pixel by one; nothing of the kind is said of images alone."""
    labels = np.random.default_rng(1).integers(0, 10, (200, 1)).astype(np.uint8)
    parts = [labels, IMAGES[:, :-1]] if place == "first" else [IMAGES[:, 1:], labels]

    assert label_among_pixels(np.concatenate(parts, axis=1), SHAPE) == place
    assert label_among_pixels(IMAGES, SHAPE) is None


def test_borders_tell_bright_on_dark_from_dark_on_bright():
    """Nearly all around; what touches its border is neither."""
    framed = np.full((10, 16, 16), 0, np.uint8)
    framed[:, 4:12, 4:12] = 255
    framed[:3] = 255 - framed[:3]

    assert border_shares(framed.reshape(10, -1), SHAPE) == (0.7, 0.3)


def test_a_survey_sees_all_values_but_keeps_few():
    """Minimum and maximum of all parts, and an even sample of at most so many images."""
    survey = Survey()
    for start in range(0, 9000, 700):
        rows = np.arange(start, min(9000, start + 700), dtype=np.int64)
        survey.add(np.stack([rows, rows + 0.5 if start > 8000 else rows], axis=1))
    found = survey.sample()[:, 0]

    assert (survey.smallest, survey.largest, survey.whole) == (0, 8999.5, False)
    assert MOST_ROWS / 2 < len(found) <= MOST_ROWS
    assert len(set(np.diff(found))) == 1


@pytest.mark.parametrize("width", [1, 7, 8, 64, 784, 785])
def test_fingerprints_tell_images_apart_by_every_byte(width):
    """Each single changed byte makes another number, wherever it is."""
    changed = np.zeros((width * 255 + 1, width), np.uint8)
    for column in range(width):
        changed[column * 255 : (column + 1) * 255, column] = np.arange(1, 256)
    found = fingerprints(changed)

    assert len(np.unique(found)) == len(changed)
    assert np.array_equal(fingerprints(changed.copy()), found)


def test_fingerprints_are_those_of_every_machine():
    """They decide which images are test images, so they must not change."""
    found = fingerprints(np.arange(20, dtype=np.uint8).reshape(2, 10))

    assert found.tolist() == KNOWN


def test_a_share_of_images_is_drawn_whatever_the_seed():
    """About as many as asked for."""
    found = fingerprints(np.random.default_rng(0).integers(0, 256, (10_000, 16), np.uint8))
    drawn = [drawn_for_test(found, seed, 0.2) for seed in (0, 1, 2**63 - 1)]

    assert [abs(one.mean() - 0.2) < 0.02 for one in drawn] == [True] * 3
    assert not np.array_equal(drawn[0], drawn[1])
    assert drawn_for_test(found[:10], 0, 0.2).tolist() == drawn[0][:10].tolist()
