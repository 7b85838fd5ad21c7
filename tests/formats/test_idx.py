"""IDX files: what MNIST and its followers come as."""

import gzip
import struct

import numpy as np
import pytest

from tasks.formats.errors import DataError
from tasks.formats.idx import idx_labels, read_idx
from tests.formats.support import pixels_of

TYPES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx(array) -> bytes:
    """Write an array as its authors do: by the description of the format."""
    header = bytes([0, 0, TYPES[array.dtype.name], array.ndim])
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def random_images(*shape, dtype="uint8"):
    """Images of whole numbers, which every type can hold."""
    return np.random.default_rng(0).integers(0, 120, shape).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_images_of_every_type_are_read(tmp_path, dtype, packed):
    """The type is in the header, the most significant byte first; names do not count."""
    images = random_images(11, 7, 5, dtype=dtype)
    path = tmp_path / "train-images"
    path.write_bytes(packed(idx(images)))
    found = read_idx(path)

    assert found.shape == (7, 5, 1)
    assert found.width == 35
    assert found.count == 11
    assert not found.labelled
    assert found.form.startswith("IDX")
    for rows in (1, 4, 11, 100):
        values, labels = pixels_of(found, rows)
        assert values.dtype == dtype
        assert np.array_equal(values, images.reshape(11, 35))
        assert labels is None


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((6, 8, 9, 3), (8, 9, 3)), ((6, 3, 8, 9), (8, 9, 3)), ((6, 1, 8, 9), (8, 9, 1))],
    ids=["channels last", "channels first", "one channel first"],
)
def test_four_dimensions_have_channels_last_or_first(tmp_path, shape, expected):
    """In the image they are side by side in any case, and a decision says what was found."""
    images = random_images(*shape)
    (tmp_path / "file").write_bytes(idx(images))
    found = read_idx(tmp_path / "file")
    first = shape[1] in (1, 3)

    assert found.shape == expected
    expected_pixels = np.moveaxis(images, 1, -1) if first else images
    assert np.array_equal(pixels_of(found)[0], expected_pixels.reshape(6, -1))
    assert bool(found.decisions) == first


def test_two_dimensions_are_rows_of_values(tmp_path):
    """Their shape is for others to find."""
    images = random_images(5, 64)
    (tmp_path / "file").write_bytes(idx(images))
    found = read_idx(tmp_path / "file")

    assert (found.shape, found.width) == (None, 64)
    assert np.array_equal(pixels_of(found)[0], images)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64"])
def test_labels_are_whole_numbers(tmp_path, dtype):
    """Whatever type they are stored in."""
    labels = np.arange(20, dtype=dtype) % 7
    (tmp_path / "labels").write_bytes(gzip.compress(idx(labels)))
    found = idx_labels(tmp_path / "labels")

    assert found.values.tolist() == labels.tolist()
    assert found.values.dtype == np.uint32
    assert found.form == "IDX, gzip"


def test_the_first_number_of_qmnist_is_the_class(tmp_path):
    """Its rows have writer, series and other numbers behind it; the form says so."""
    rows = np.array([[5, 0, 134, 21, 5], [0, 0, 123, 4, 0], [7, 1, 99, 2, 7]], "int32")
    (tmp_path / "qmnist").write_bytes(idx(rows))
    found = idx_labels(tmp_path / "qmnist")

    assert found.values.tolist() == [5, 0, 7]
    assert "the first of 5 numbers per image" in found.form


def test_one_hot_labels_are_numbers_of_columns(tmp_path):
    """Rows with a single one."""
    (tmp_path / "file").write_bytes(idx(np.eye(4, dtype="uint8")[[2, 0, 3]]))

    assert idx_labels(tmp_path / "file").values.tolist() == [2, 0, 3]


@pytest.mark.parametrize("missing", [1, 35, 36, 300])
def test_a_file_cut_short_says_after_how_many_images(tmp_path, missing):
    """Also one that was cut between two images."""
    images = random_images(11, 7, 5)
    path = tmp_path / "file"
    path.write_bytes(idx(images)[:-missing])

    with pytest.raises(DataError, match=f"ends after {(385 - missing) // 35}") as caught:
        pixels_of(read_idx(path), 3)
    assert "11 images were announced" in caught.value.problem


def test_a_file_that_goes_on_is_refused(tmp_path):
    """Its header would be believed against its content."""
    (tmp_path / "images").write_bytes(idx(random_images(3, 7, 5)) + b"\0")
    (tmp_path / "labels").write_bytes(idx(np.arange(3, dtype="uint8")) + b"\0")

    with pytest.raises(DataError, match="continues after the 3 images"):
        pixels_of(read_idx(tmp_path / "images"))
    with pytest.raises(DataError, match="continues after the 3 labels"):
        idx_labels(tmp_path / "labels")


def test_a_header_may_lie_without_harm(tmp_path):
    """Four billion images in a file of 50 bytes take no memory."""
    (tmp_path / "file").write_bytes(
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 28, 28) + bytes(34)
    )

    with pytest.raises(DataError, match="ends after 0"):
        pixels_of(read_idx(tmp_path / "file"), 2**20)
    (tmp_path / "labels").write_bytes(bytes([0, 0, 8, 1]) + struct.pack(">I", 2**27) + bytes(34))
    with pytest.raises(DataError, match="ends after 34"):
        idx_labels(tmp_path / "labels")


def test_images_and_labels_are_not_mistaken_for_each_other(tmp_path):
    """The message says which file is the other one; following it ends well."""
    images, labels = random_images(4, 6, 6), np.arange(4, dtype="uint8")
    (tmp_path / "labels-idx1-ubyte").write_bytes(idx(labels))
    (tmp_path / "images-idx3-ubyte").write_bytes(idx(images))

    with pytest.raises(DataError, match=r"labels, not images.*idx3"):
        read_idx(tmp_path / "labels-idx1-ubyte")
    with pytest.raises(DataError, match=r"images, not labels.*idx1"):
        idx_labels(tmp_path / "images-idx3-ubyte")
    assert pixels_of(read_idx(tmp_path / "images-idx3-ubyte"))[0].shape == (4, 36)
    assert idx_labels(tmp_path / "labels-idx1-ubyte").values.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"\0\0\x07\x03" + bytes(20), b"\0\0\x08\x05" + bytes(30), b"1,2,3\n",
     b"\0\0\x08\x03" + bytes(5)],
)  # fmt: skip
def test_what_is_no_idx_file_is_refused(tmp_path, content):
    """In words, by its first bytes."""
    (tmp_path / "file").write_bytes(content)

    for read in (read_idx, idx_labels):
        with pytest.raises(DataError, match=r"not an IDX file|cut short within its header"):
            read(tmp_path / "file")


def test_no_images_at_all_are_refused(tmp_path):
    """An empty file of the right form."""
    (tmp_path / "file").write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 0, 28, 28))

    with pytest.raises(DataError, match="no image in it"):
        read_idx(tmp_path / "file")
