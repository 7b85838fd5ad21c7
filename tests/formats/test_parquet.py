"""Parquet files as pandas, Arrow and the Hugging Face hub write them."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.formats.errors import DataError
from tasks.formats.image_table import ImageTableWriter
from tasks.formats.parquet import read_parquet
from tests.formats.support import pixels_of
from tests.support import HOME

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 8, 8), dtype=np.uint8)
ROWS = IMAGES.reshape(20, 64)
LABELS = np.arange(20) % 4


def read(path, image=None, **reading):
    """Open a file with these settings."""
    return read_parquet(path, ReadingSettings(**reading), ImageSettings(**(image or {})))


@pytest.fixture
def path(tmp_path):
    """A file whose name says nothing."""
    return tmp_path / "file"


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64", "bool"])
def test_a_column_per_pixel_is_read(path, dtype):
    """In the type that the columns have."""
    pd.DataFrame((ROWS // 2).astype(dtype)).rename(columns=str).to_parquet(path)
    found = read(path)
    pixels, labels = pixels_of(found)

    assert (found.width, found.shape, found.count, labels) == (64, None, 20, None)
    assert pixels.dtype == ("uint8" if dtype == "bool" else dtype)
    assert np.array_equal(pixels, (ROWS // 2).astype(dtype))
    assert found.place(3, 17) == "row 4, column 17"


@pytest.mark.parametrize("dtype", [bool, "uint8", float])
def test_one_hot_columns_are_named_and_either_advice_leads_to_the_right_pixels(path, dtype):
    """They are no pixels of an image of another shape, and none of them is the label."""
    frame = pd.DataFrame(ROWS).add_prefix("pixel")
    frame = pd.concat([frame, pd.get_dummies(LABELS, prefix="c", dtype=dtype)], axis=1)
    frame.to_parquet(path)

    with pytest.raises(DataError, match=r"68 = 8 x 8 x 1 \+ 4, .* c_0 to c_3\. .*one-hot"):
        read(path)
    label = frame.iloc[:, -4:].to_numpy().argmax(axis=1)
    frame.iloc[:, :-4].assign(label=label).to_parquet(path)
    pixels, labels = pixels_of(read(path))
    assert np.array_equal(pixels, ROWS)
    assert labels.tolist() == LABELS.tolist()
    frame.iloc[:, :-4].to_parquet(path)
    pixels, labels = pixels_of(read(path))
    assert np.array_equal(pixels, ROWS)
    assert labels is None


@pytest.mark.parametrize("place", [0, 64])
@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [("label", LABELS, LABELS.tolist()), ("class", LABELS.astype(float), LABELS.tolist()),
     ("a", LABELS.astype(str), LABELS.tolist()), ("species", np.array(list("abcd") * 5), None),
     ("Target", pd.Categorical(list("abcd") * 5), None), ("unclear", LABELS, LABELS.tolist())],
)  # fmt: skip
def test_a_label_column_is_found(path, place, name, labels, expected):
    """By its name, its type, or because the others alone make an image; a decision says so."""
    table = pd.DataFrame(ROWS).rename(columns=str)
    table.insert(place, name, labels)
    table.to_parquet(path)
    found = read(path)
    pixels, named = pixels_of(found)

    assert np.array_equal(pixels, ROWS)
    assert named.tolist() == (expected or list("abcd") * 5)
    assert found.decisions[-1][0] == f"labels in the column {name}"
    assert found.decisions[-1][2] == "--reading.label none"


def test_columns_in_another_order_are_brought_to_that_of_their_names(path):
    """As programs leave them that sort names as words; the label may stand among them."""
    table = pd.DataFrame(ROWS).rename(columns="pixel{}".format)[
        sorted(map("pixel{}".format, range(64)))
    ]
    table.insert(5, "label", LABELS)
    table.to_parquet(path)
    found = read(path)
    pixels, labels = pixels_of(found)

    assert np.array_equal(pixels, ROWS)
    assert labels.tolist() == LABELS.tolist()
    assert found.decisions[-1][0] == "pixels in the order of their names"


def test_a_label_at_one_of_both_ends_is_asked_for(path):
    """Its name and type are those of pixels; either could be meant."""
    pd.DataFrame(np.c_[ROWS, LABELS]).rename(columns="V{}".format).to_parquet(path)

    with pytest.raises(DataError, match=r"in the column V0 or in the column V64.*label last"):
        read(path)
    pixels, labels = pixels_of(read(path, label="last"))
    assert np.array_equal(pixels, ROWS)
    assert labels.tolist() == LABELS.tolist()


def test_settings_decide_otherwise(path):
    """Which column is the label, and whether there is one."""
    pd.DataFrame(np.c_[LABELS, ROWS, LABELS[::-1]]).rename(columns=str).to_parquet(path)

    assert read(path, label="none").width == 66
    assert pixels_of(read(path, label="first"))[1].tolist() == LABELS.tolist()
    assert pixels_of(read(path, label="last"))[1].tolist() == LABELS[::-1].tolist()


@pytest.mark.parametrize("name", ["index", "Unnamed: 0", "id", None])
def test_an_index_is_left_out(path, name):
    """Also the one that pandas hides, and a decision says so."""
    table = pd.DataFrame(ROWS, index=np.arange(20)[::-1]).rename(columns=str)
    if name is None:
        table.to_parquet(path)
    else:
        table.rename_axis(name).reset_index().to_parquet(path)
    found = read(path)

    assert np.array_equal(pixels_of(found)[0], ROWS)
    assert found.decisions[0][2] == "--reading.index no"
    assert read(path, index="no", label="none").width == 65


ARRAYS = {
    "fixed size": pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), 64),
    "list": pa.array(list(ROWS)),
    "large list": pa.array(list(ROWS), pa.large_list(pa.uint8())),
    "rows": pa.array(IMAGES.tolist(), pa.list_(pa.list_(pa.int32()))),
    "colour": pa.array(IMAGES.reshape(20, 4, 4, 4)[..., :3].tolist()),
    "planes": pa.array(np.moveaxis(IMAGES.reshape(20, 4, 4, 4)[..., :3], 3, 1).tolist()),
    "bytes": pa.array([row.tobytes() for row in ROWS]),
    "fixed bytes": pa.array([row.tobytes() for row in ROWS], pa.binary(64)),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_column_of_images_is_read(path, kind):
    """As lists, nested or not, or as plain bytes; nested ones say their shape."""
    pq.write_table(pa.table({"label": LABELS, "image": ARRAYS[kind]}), path, row_group_size=6)
    found = read(path)
    pixels, labels = pixels_of(found)
    colour = kind in ("colour", "planes")

    assert found.shape == ((8, 8, 1) if kind == "rows" else (4, 4, 3) if colour else None)
    expected = IMAGES.reshape(20, 4, 4, 4)[..., :3].reshape(20, -1) if colour else ROWS
    assert np.array_equal(pixels, expected)
    assert labels.tolist() == LABELS.tolist()


def test_memory_does_not_grow_with_a_row_group(path):
    """Of which a file may have a single one; measured by Arrow itself, in a process of its own."""
    rows = np.random.default_rng(0).integers(0, 256, (60_000, 784), dtype=np.uint8)
    column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 784)
    pq.write_table(pa.table({"image": column}), path)
    shown = subprocess.run(
        [sys.executable, "-c",
         "import sys, pathlib, pyarrow\n"
         "from autoencoders.settings import ImageSettings, ReadingSettings\n"
         "from tasks.formats.parquet import read_parquet\n"
         "file = read_parquet(pathlib.Path(sys.argv[1]), ReadingSettings(), ImageSettings())\n"
         "print(sum(len(part.pixels) for part in file.parts(500)))\n"
         "print(pyarrow.default_memory_pool().max_memory())", path],
        capture_output=True, text=True, cwd=HOME, timeout=200, check=True,
    )  # fmt: skip
    count, most = map(int, shown.stdout.split())

    assert count == 60_000
    assert most < rows.nbytes / 2


def test_our_own_tables_are_read(path):
    """What one run has ingested can be the data of another."""
    with ImageTableWriter(path, 64, labelled=True) as table:
        table.write(ROWS, LABELS.astype(np.uint32))
        table.finish((8, 8, 1), None)
    pixels, labels = pixels_of(read(path))

    assert np.array_equal(pixels, ROWS)
    assert labels.tolist() == LABELS.tolist()


def encoded(image, kind="PNG"):
    """Encode a picture."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("plain", [True, False], ids=["bytes", "struct"])
def test_encoded_pictures_are_decoded(path, plain):
    """As the hub of Hugging Face has MNIST: a struct of bytes and path, and a label."""
    contents = [encoded(image) for image in IMAGES]
    column = contents if plain else [{"bytes": one, "path": f"{n}.png"}
                                     for n, one in enumerate(contents)]  # fmt: skip
    pq.write_table(pa.table({"image": column, "label": LABELS}), path)
    found = read(path)
    pixels, labels = pixels_of(found)

    assert (found.form, found.shape, found.count) == ("Parquet, pictures, PNG", (8, 8, 1), 20)
    assert np.array_equal(pixels, ROWS)
    assert labels.tolist() == LABELS.tolist()


def test_encoded_pictures_of_several_sizes_follow_the_settings(path):
    """As in a folder; the advice leads to images."""
    contents = [encoded(IMAGES[0]), encoded(IMAGES[1]), encoded(np.zeros((5, 6), np.uint8))]
    pq.write_table(pa.table({"image": contents}), path)

    with pytest.raises(DataError, match=r"differ in size.*row 3: 5 x 6") as caught:
        read(path)
    assert "--image.height 8 --image.width 8" in caught.value.advice
    assert read(path, {"height": 8, "width": 8}).shape == (8, 8, 1)


def test_a_broken_picture_is_named_by_its_row(path):
    """It has a label, so it cannot just be left out."""
    contents = [{"bytes": encoded(IMAGES[0]), "path": "a"}, {"bytes": None, "path": "b.png"}]
    pq.write_table(pa.table({"image": contents}), path)

    with pytest.raises(DataError, match="row 2, column image: not a readable picture"):
        read(path)
    pq.write_table(pa.table({"image": contents[:1]}), path)  # the advice: remove the row
    assert read(path).count == 1


def test_a_missing_value_is_named_by_row_and_column(path):
    """Among pixels, in lists, among labels."""
    table = pd.DataFrame(ROWS).rename(columns=str).astype("Int64")
    table.loc[13, "17"] = pd.NA
    table.to_parquet(path)
    with pytest.raises(DataError, match="row 14, column 17: the value is missing"):
        pixels_of(read(path))

    lists = ROWS.tolist()
    lists[13][5] = None
    pq.write_table(pa.table({"image": lists}), path)
    with pytest.raises(DataError, match="row 14, column image: the value is missing"):
        pixels_of(read(path))

    pq.write_table(pa.table({"image": list(ROWS), "label": [*range(19), None]}), path)
    with pytest.raises(DataError, match="row 20, column label: the value is missing"):
        pixels_of(read(path))
    assert pixels_of(read(path, label="none"))[0].shape == (20, 64)


@pytest.mark.parametrize(
    "change",
    [lambda rows: [*rows[:12], rows[12][:-1], *rows[13:]],
     lambda rows: [*rows[:7], *(row[:-1] for row in rows[7:])]],
)  # fmt: skip
def test_lists_of_different_lengths_are_refused(path, change):
    """Within a part or between two."""
    pq.write_table(pa.table({"image": change(ROWS.tolist())}), path)

    with pytest.raises(DataError, match="column image: the images differ in size"):
        pixels_of(read(path))


def test_columns_of_text_are_left_out_beside_a_label(path):
    """They cannot be pixels; a decision says which ones."""
    table = pd.DataFrame(ROWS).rename(columns=str).assign(file="a.png", label=LABELS, place="b")
    table.to_parquet(path)
    found = read(path)
    pixels, labels = pixels_of(found)

    assert np.array_equal(pixels, ROWS)
    assert np.array_equal(labels, LABELS)
    assert "left out: file, place" in [what for what, _, _ in found.decisions]


def test_the_label_among_columns_of_text_is_asked_for(path):
    """Both answers in the message work."""
    table = pd.DataFrame(ROWS).rename(columns=str).assign(file="a.png", place=LABELS.astype(str))
    table.to_parquet(path)

    with pytest.raises(DataError, match=r"file \(.*string\), place \(.*string\) cannot") as caught:
        read(path)
    assert "Rename the column of the labels to label" in caught.value.advice
    assert "--reading.label none" in caught.value.advice
    pixels, labels = pixels_of(read(path, label="none"))
    assert np.array_equal(pixels, ROWS)
    assert labels is None
    pd.read_parquet(path).rename(columns={"place": "label"}).to_parquet(path)
    pixels, labels = pixels_of(read(path))
    assert np.array_equal(pixels, ROWS)
    assert np.array_equal(labels, LABELS)


def test_two_columns_of_images_are_asked_about(path):
    """An image and its mask."""
    pq.write_table(pa.table({"image": list(ROWS), "mask": list(ROWS)}), path)

    with pytest.raises(DataError, match="image, mask all could"):
        read(path)
    pd.read_parquet(path, columns=["image"]).to_parquet(path)
    assert np.array_equal(pixels_of(read(path))[0], ROWS)


@pytest.mark.parametrize(
    "change",
    [lambda content: content[:-9], lambda content: b"PAR1" + content[200:],
     lambda content: b"", lambda content: content[:500] + bytes(300) + content[800:]],
)  # fmt: skip
def test_a_damaged_file_is_refused(path, change):
    """Cut short, or changed within."""
    pd.DataFrame(ROWS).rename(columns=str).to_parquet(path)
    path.write_bytes(change(path.read_bytes()))

    with pytest.raises(DataError, match="a Parquet file that cannot be read"):
        pixels_of(read(path))


def test_an_empty_table_is_refused(path):
    """There is nothing to train on."""
    pd.DataFrame(ROWS[:0]).rename(columns=str).to_parquet(path)

    with pytest.raises(DataError, match="it has no rows"):
        read(path)
