"""Small files that people really bring, where a collection of them lies beside the project."""

import re
from pathlib import Path

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from tests.forms import content, ingested, inspected
from tests.support import HOME

CASES = HOME.parent / "shared" / "cases"
DRAWN = {
    "label-column-8x8": None, "own-name": None, "train-is-test": None, "no-labels": None,
    "labels-words": None, "floats-0-255": None, "hex": None,
    "half-scaled": None, "minus1-to-1": None,
    "range-0-16": lambda bytes_: np.rint((bytes_ // 16) * (255 / 16)),
    "binary-0-1": lambda bytes_: (bytes_ > 0) * 255,
    "pandas-ate-first-image": lambda bytes_: np.concatenate([bytes_[:1] * 0, bytes_[1:]]),
}  # fmt: skip
"""Folders of the same drawing, and what it became before it was written; None: nothing."""
SHAPES = {
    "colour-32x32": [32, 32, 3], "colour-planes": [32, 32, 3],
    "side-not-multiple-of-4": [10, 10, 1], "idx-ubyte": [28, 28, 1],
    "idx-ubyte-gz": [28, 28, 1], "npz": [28, 28, 1],
}  # fmt: skip
REFUSED = {
    "half-scaled-advice-followed": r"every value is 0.*alike",
    "git-lfs-pointer": r"Git LFS pointer.*git lfs pull",
    "json": r"JSON",
    "labels-gap": r"train_labels\.csv, row 4, .*missing",
    "labels-gap-advice-followed": r"train_labels\.csv, row 4, .*missing",
}
UNTOLD = {"floats-advice-followed"}
"""Its values are bytes like any others: nothing tells that they were wrapped."""

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the collection is not here")


def case(name, tmp_path) -> Path:
    """Return what is ingested of a case, with its tables beside the test's own files."""
    (tmp_path / name).symlink_to(CASES / name)
    return ingested(tmp_path / name)


def test_every_case_is_tested():
    """A new one must be added here."""
    folders = {one.name for one in CASES.iterdir() if one.is_dir()} if CASES.is_dir() else set()

    assert folders == {*DRAWN, *SHAPES, *REFUSED, *UNTOLD}


@pytest.mark.parametrize("name", DRAWN)
def test_a_case_is_read_to_the_pixels_that_were_drawn(tmp_path, name):
    """Those of the plain file, as far as the case has kept them."""
    drawn = np.loadtxt(CASES / "train-is-test" / "train_data.csv", delimiter=",", dtype=int)
    became = DRAWN[name] or (lambda bytes_: bytes_)
    pixels, _ = content(case(name, tmp_path) / "train.parquet")

    assert np.abs(pixels.astype(int) - became(drawn)).max() <= 1
    assert (pixels.max() > 200) == (became(drawn).max() > 200)


@pytest.mark.parametrize("name", SHAPES)
def test_a_case_has_the_shape_that_was_meant(tmp_path, name):
    """Without a word of its user."""
    found = inspected(case(name, tmp_path))

    assert found["shape"] == SHAPES[name]
    assert [one["code"] for one in found["warnings"]] == ["same"]


def test_colour_by_plane_becomes_colour_by_pixel(tmp_path):
    """Both cases are of one drawing."""
    made = [case(name, tmp_path) for name in ("colour-32x32", "colour-planes")]

    assert (made[0] / "train.parquet").read_bytes() == (made[1] / "train.parquet").read_bytes()


@pytest.mark.parametrize("name", REFUSED)
def test_a_case_that_cannot_be_read_is_refused(tmp_path, name):
    """By its name, or its row."""
    with pytest.raises(PipelineError) as caught:
        case(name, tmp_path)
    assert re.search(REFUSED[name], str(caught.value))
