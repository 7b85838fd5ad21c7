"""Tables in several files, read as one."""

import numpy as np
import pandas as pd
import pytest

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.formats.csv import read_csv
from tasks.formats.errors import DataError
from tasks.formats.image_file import Opened
from tasks.formats.shards import joined
from tests.formats.support import pixels_of
from tests.forms import content, ingested

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 64))
LABELS = np.arange(20) % 4


def parts(folder, *tables):
    """Write and open files of which each is counted."""
    opened = []
    for number, table in enumerate(tables):
        path = folder / f"train-{number:05}-of-{len(tables):05}.csv"
        table.to_csv(path, index=False)
        opened.append(Opened(path, read_csv(path, ReadingSettings(), ImageSettings())))
    return opened


def frame(rows):
    """Return some of the images with their labels."""
    return pd.DataFrame(IMAGES[rows]).add_prefix("pixel").assign(label=LABELS[rows])


def test_they_are_read_in_order_and_places_name_the_file(tmp_path):
    """Also when they are read again, a few rows at a time."""
    slices = slice(0, 7), slice(7, 8), slice(8, 20)
    path, images = joined(parts(tmp_path, *map(frame, slices)))

    assert path.name == "train-*-of-00003.csv"
    assert images.form == "CSV, header line, 3 files"
    for rows in (3, 100):
        pixels = np.concatenate([part.pixels for part in images.parts(rows)])
        assert np.array_equal(pixels, IMAGES)
    pixels, labels = pixels_of(images)
    assert np.array_equal(labels, LABELS)
    places = [images.place(image, 2) for image in (6, 7, 8, 19)]
    assert places == ["row 8, column 3 of train-00000-of-00003.csv",
                      "row 2, column 3 of train-00001-of-00003.csv",
                      "row 2, column 3 of train-00002-of-00003.csv",
                      "row 13, column 3 of train-00002-of-00003.csv"]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.drop(columns="label"), "labels differ: there and not there"),
        (lambda one: one.drop(columns=[f"pixel{i}" for i in range(28, 64)]),
         "values per image differ: 64 and 28"),
    ],
    ids=["no labels", "other size"],
)  # fmt: skip
def test_parts_that_differ_are_refused(tmp_path, change, message):
    """They are named."""
    tables = frame(slice(0, 10)), change(frame(slice(10, 20)))

    with pytest.raises(DataError, match=message) as caught:
        joined(parts(tmp_path, *tables))
    assert "train-00001-of-00002.csv" in str(caught.value)


def labelled(folder, names, other_names):
    """Write images in two files per split and their labels in three, with names of rows if any."""
    folder.mkdir()
    for split in ("train", "test"):
        for number, rows in enumerate((slice(0, 7), slice(7, 20))):
            table = pd.DataFrame(IMAGES[rows], index=names[rows]).add_prefix("pixel")
            table.to_csv(folder / f"{split}_data-{number:05}-of-00002.csv", index_label="id")
        for number, rows in enumerate((slice(0, 9), slice(9, 13), slice(13, 20)), start=1):
            table = pd.DataFrame({"label": LABELS[rows]}, index=other_names[rows])
            name = f"{split}_labels-{number:05}-of-00003.csv"  # some count from 1
            table.to_csv(folder / name, index_label="id")
    return folder


def test_labels_may_be_in_several_files_too(tmp_path):
    """Of as many rows as the images, in other portions than these, and in the same order."""
    names = np.array([f"letter {chr(65 + row)}" for row in range(20)])
    table = ingested(labelled(tmp_path / "data", names, names)) / "train.parquet"
    pixels, labels = content(table)

    assert np.array_equal(pixels, IMAGES)
    assert labels == [str(label) for label in LABELS]
    with pytest.raises(DataError, match="the same order"):
        ingested(labelled(tmp_path / "other", names, names[::-1]))
