"""NumPy's files: every type and order that NumPy writes, without ever unpickling."""

import gzip
import io
import zipfile

import numpy as np
import pytest

from tasks.formats.arrays import is_npz, npy_labels, npz_labels, read_npy, read_npz
from tasks.formats.errors import DataError
from tests.formats.support import pixels_of

DTYPES = ["u1", ">u2", "<i8", "?", "f2", ">f4", "f8", "longdouble"]


def made(shape, dtype="u1"):
    """Whole numbers that every type can hold, 0 and 1 for booleans."""
    return np.random.default_rng(0).integers(0, 2 if dtype == "?" else 120, shape).astype(dtype)


def npy(array, **options) -> bytes:
    """Return the bytes of a file that `np.save` writes."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_every_type_and_order_are_read(tmp_path, dtype, order):
    """As numbers of this machine; the values are those of the array."""
    images = made((11, 7, 5), dtype)
    path = tmp_path / "images.npy"
    np.save(path, np.asarray(images, order=order))
    found = read_npy(path)
    pixels, labels = pixels_of(found)

    assert (found.form, found.shape, found.count) == ("NumPy array", (7, 5, 1), 11)
    assert pixels.dtype.isnative
    assert pixels.dtype.kind in "uif"
    assert np.array_equal(pixels, images.reshape(11, 35))
    assert labels is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_compressed_array_is_read(tmp_path, order):
    """In Fortran order too, where an image is scattered over the file."""
    images = made((300, 8, 8))
    (tmp_path / "images").write_bytes(gzip.compress(npy(np.asarray(images, order=order))))
    found = read_npy(tmp_path / "images")

    assert found.form == "NumPy array, gzip"
    assert np.array_equal(pixels_of(found, 70)[0], images.reshape(300, 64))


@pytest.mark.parametrize(
    ("shape", "expected", "moved"),
    [
        ((5, 8, 9), (8, 9, 1), False), ((5, 8, 9, 3), (8, 9, 3), False),
        ((5, 3, 8, 9), (8, 9, 3), True), ((5, 1, 8, 9), (8, 9, 1), True),
        ((5, 4, 8, 4), (4, 8, 4), False), ((5, 64), None, False),
    ],
)  # fmt: skip
def test_what_the_axes_are_follows_from_their_lengths(tmp_path, shape, expected, moved):
    """Channels last as in Keras, first as in PyTorch, which a decision says."""
    images = made(shape)
    np.save(tmp_path / "images.npy", images)
    found = read_npy(tmp_path / "images.npy")

    assert found.shape == expected
    assert bool(found.decisions) == moved
    assert np.array_equal(
        pixels_of(found)[0], (np.moveaxis(images, 1, -1) if moved else images).reshape(5, -1)
    )


@pytest.mark.parametrize("shape", [(28, 28, 100), (8, 9, 3, 50)])
def test_images_along_the_last_axis_are_to_be_moved(tmp_path, shape):
    """As MATLAB writes them; the line in the message is what brings them in order."""
    images = made(shape)
    path = tmp_path / "images.npy"
    np.save(path, images)

    with pytest.raises(DataError, match="along the last axis") as caught:
        read_npy(path)
    assert "np.moveaxis(images, -1, 0)" in caught.value.advice
    np.save(path, np.moveaxis(images, -1, 0))
    found = read_npy(path)
    assert found.count == shape[-1]
    assert np.array_equal(pixels_of(found)[0][2], images[..., 2].ravel())


def test_square_images_as_many_as_rows_can_be_meant(tmp_path):
    """The message above has a way out for whoever has 28 images of 28 x 100 pixels."""
    images = made((28, 28, 100))
    np.save(tmp_path / "images.npy", images.reshape(len(images), -1))
    found = read_npy(tmp_path / "images.npy")

    assert (found.width, found.count) == (2800, 28)


@pytest.mark.parametrize(
    "array",
    [np.float64(3), np.arange(5), made((3, 2, 2)), made((3, 8, 8, 5)), made((2, 3, 4, 5, 6)),
     made((5, 0)), made((0, 8, 8))],
    ids=lambda array: str(np.shape(array)),
)  # fmt: skip
def test_what_cannot_be_images_is_refused_with_its_dimensions(tmp_path, array):
    """And with those that are expected."""
    np.save(tmp_path / "array.npy", array)

    with pytest.raises(DataError, match=r"expected \(n, values\)|no image in it"):
        read_npy(tmp_path / "array.npy")


def test_python_objects_are_never_unpickled(tmp_path):
    """A pickle runs code; the advice makes numbers of it, for those who trust it."""
    path = tmp_path / "images.npy"
    objects = np.empty(3, object)
    objects[:] = [made((6, 6)).tolist() for _ in range(3)]
    np.save(path, objects, allow_pickle=True)

    with pytest.raises(DataError, match="Python objects") as caught:
        read_npy(path)
    assert "np.stack([np.asarray(image, float)" in caught.value.advice
    loaded = np.load(path, allow_pickle=True)
    np.save(path, np.stack([np.asarray(image, float) for image in loaded]))
    assert np.array_equal(pixels_of(read_npy(path))[0][0], made((6, 6)).ravel())


@pytest.mark.parametrize("dtype", ["c8", "U3", [("a", "u1"), ("b", "u1")], "M8[s]"])
def test_values_that_are_no_real_numbers_are_refused(tmp_path, dtype):
    """By the name of their type."""
    np.save(tmp_path / "array.npy", np.zeros((3, 8, 8), dtype))

    with pytest.raises(DataError, match="expected real numbers"):
        read_npy(tmp_path / "array.npy")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"\0"])
def test_an_array_of_another_length_than_announced_is_refused(tmp_path, order, packed, change):
    """Too short or too long, by a single byte."""
    content = npy(np.asarray(made((9, 8, 8)), order=order))
    (tmp_path / "array.npy").write_bytes(packed(change(content)))

    with pytest.raises(DataError, match=r"cut short|continues after|should take"):
        pixels_of(read_npy(tmp_path / "array.npy"))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUM", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x01\x00\x05\x00{'a':", b"1,2,3\n",
     b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000,
     b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100_000,
     npy(made((3, 8, 8))).replace(b"'|u1'", b"'zz9'"),
     npy(made((3, 8, 8))).replace(b"(3, 8, 8)", b"(3,-8,-8)"),
     npy(made((3, 8, 8))).replace(b"(3, 8, 8)", b"__import_")],
)  # fmt: skip
def test_a_header_that_is_none_is_refused(tmp_path, content):
    """In words; nothing in it is ever evaluated, and a long one is not read."""
    (tmp_path / "array.npy").write_bytes(content)

    with pytest.raises(DataError):
        pixels_of(read_npy(tmp_path / "array.npy"))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([3, 1, 2]), [3, 1, 2]), (np.array([3.0, 1.0, 2.0]), [3, 1, 2]),
        (np.array([[3], [1], [2]]), [3, 1, 2]), (np.eye(4)[[3, 1, 2]], [3, 1, 2]),
        (np.asarray(np.eye(4)[[3, 1, 2]], order="F"), [3, 1, 2]),
        (np.array([True, False, True]), [1, 0, 1]), (np.array([-1, 1, 1]), ["-1", "1", "1"]),
        (np.array(["b", "a", "bag"]), ["b", "a", "bag"]),
        (np.array([b"b", b"a", b"bag"]), ["b", "a", "bag"]),
    ],
)  # fmt: skip
def test_labels_are_numbers_words_or_one_hot(tmp_path, labels, expected):
    """In whatever type they are stored."""
    np.save(tmp_path / "labels.npy", labels)
    np.savez(tmp_path / "labels.npz", labels)

    assert npy_labels(tmp_path / "labels.npy").values.tolist() == expected
    assert npz_labels(tmp_path / "labels.npz").values.tolist() == expected


@pytest.mark.parametrize("labels", [np.ones((3, 4)), np.array([1.0, np.nan]), made((3, 8, 8))])
def test_what_cannot_be_labels_is_refused(tmp_path, labels):
    """Rows that are not one-hot, a missing label, images."""
    np.save(tmp_path / "labels.npy", labels)

    with pytest.raises(DataError, match=r"not one-hot|no label for image 2|expected one label"):
        npy_labels(tmp_path / "labels.npy")


TRAIN, TEST, LABELS = made((20, 8, 8)), made((6, 8, 8)) + 100, np.arange(20) % 4
ARCHIVES = {
    "keras": {"x_train": TRAIN, "y_train": LABELS, "x_test": TEST, "y_test": LABELS[:6]},
    "medmnist": {
        "train_images": TRAIN, "train_labels": LABELS[:, None], "val_images": TRAIN[:3],
        "val_labels": LABELS[:3, None], "test_images": TEST, "test_labels": LABELS[:6, None],
    },
    "one-hot": {"X_train": TRAIN, "Y_train": np.eye(4)[LABELS], "X_test": TEST,
                "Y_test": np.eye(4)[LABELS[:6]]},
    "other words": {"trainImgs": TRAIN, "trainLabels": LABELS, "testImgs": TEST,
                    "testLabels": LABELS[:6]},
}  # fmt: skip


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_with_train_and_test_images_is_read(tmp_path, archive, save):
    """By the names of its arrays, whoever made it."""
    path = tmp_path / "data.npz"
    save(path, **ARCHIVES[archive])
    found = read_npz(path)

    assert is_npz(path)
    assert list(found) == ["train", "test"]
    for split, images, labels in (("train", TRAIN, LABELS), ("test", TEST, LABELS[:6])):
        pixels, named = pixels_of(found[split])
        assert np.array_equal(pixels, images.reshape(len(images), -1))
        assert named.tolist() == labels.tolist()
    assert [("val_images" in str(one.warnings)) for one in found.values()] == [
        archive == "medmnist"
    ] * 2


@pytest.mark.parametrize(
    "arrays",
    [{"arr_0": TRAIN}, {"data": TRAIN, "target": LABELS}, {"x": TRAIN, "y": LABELS},
     {"x": TRAIN, "y": LABELS, "ids": np.arange(len(TRAIN))},
     {"images": TRAIN, "labels": LABELS, "names": np.array(["a", "b"], object)}],
    ids=" ".join,
)  # fmt: skip
def test_an_archive_of_one_set_is_read_as_data(tmp_path, arrays):
    """Labels are there or not; what is neither is left alone, also if it is a pickle."""
    np.savez(tmp_path / "data.npz", **arrays)
    found = read_npz(tmp_path / "data.npz")
    pixels, labels = pixels_of(found["data"])

    assert list(found) == ["data"]
    assert np.array_equal(pixels, TRAIN.reshape(20, -1))
    assert labels is None if len(arrays) == 1 else labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("name", ["ids", "image_id", "idx", "imageIndex"])
def test_an_array_that_counts_images_is_no_label(tmp_path, name):
    """Each image would be a class of its own."""
    np.savez(tmp_path / "data.npz", x=TRAIN, **{name: np.arange(len(TRAIN))})

    assert pixels_of(read_npz(tmp_path / "data.npz")["data"])[1] is None


def test_fortran_order_in_an_archive_is_read(tmp_path):
    """As pandas and scikit-learn leave arrays."""
    np.savez_compressed(tmp_path / "data.npz", np.asfortranarray(TRAIN.reshape(20, -1)))

    pixels, _ = pixels_of(read_npz(tmp_path / "data.npz")["data"])
    assert np.array_equal(pixels, TRAIN.reshape(20, -1))


def test_validation_images_are_the_test_where_there_is_no_other(tmp_path):
    """Two sets are train and test."""
    np.savez(tmp_path / "data.npz", x_train=TRAIN, x_val=TEST)

    assert list(read_npz(tmp_path / "data.npz")) == ["train", "test"]


@pytest.mark.parametrize(
    "arrays",
    [{"a": TRAIN, "b": TEST}, {"x_train": TRAIN, "x2_train": TRAIN, "x_test": TEST},
     {"x_test": TEST, "x": TRAIN}, {"labels": LABELS}],
    ids=" ".join,
)  # fmt: skip
def test_an_archive_that_leaves_it_open_is_asked_about(tmp_path, arrays):
    """Its arrays are listed; saving them with the names of the message works."""
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)

    with pytest.raises(DataError, match="which of its arrays") as caught:
        read_npz(path)
    assert all(name in caught.value.problem for name in arrays)
    assert "x_train=..., y_train=..., x_test=..., y_test=..." in caught.value.advice
    np.savez(path, x_train=TRAIN, x_test=TEST)
    assert list(read_npz(path)) == ["train", "test"]


def test_an_archive_whose_labels_do_not_fit_is_refused(tmp_path):
    """With both numbers."""
    np.savez(tmp_path / "data.npz", x=TRAIN, y=LABELS[:-1])

    with pytest.raises(DataError, match="20 images and y has 19 labels"):
        read_npz(tmp_path / "data.npz")


def test_images_along_the_last_axis_are_told_before_their_labels_are_counted(tmp_path):
    """As MATLAB writes them; 8 images and 20 labels would be a fault that is none."""
    np.savez(tmp_path / "data.npz", images=np.moveaxis(TRAIN, 0, -1), labels=LABELS)

    with pytest.raises(DataError, match="along the last axis"):
        read_npz(tmp_path / "data.npz")


def test_pickled_images_in_an_archive_are_refused(tmp_path):
    """By the name of the array."""
    np.savez(tmp_path / "data.npz", x=np.array([[1, "a"], [2, {}]], object))

    with pytest.raises(DataError, match=r"the array x holds Python objects \(a pickle\)"):
        read_npz(tmp_path / "data.npz")


def test_a_damaged_archive_is_refused(tmp_path):
    """Its checksums are looked at."""
    path = tmp_path / "data.npz"
    np.savez(path, x=TRAIN)
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)

    with pytest.raises(DataError, match="cut short or damaged"):
        pixels_of(read_npz(path)["data"])


def test_other_archives_are_no_archives_of_arrays(tmp_path):
    """Neither is a plain file."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("train.csv", "1,2\n")
    (tmp_path / "b.npz").write_bytes(b"1,2\n")

    assert not is_npz(tmp_path / "a.npz")
    assert not is_npz(tmp_path / "b.npz")
