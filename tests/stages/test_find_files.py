"""Which file of a folder is what, by its name."""

import re

import pytest

from tasks.find_files import find_files
from tasks.formats.errors import DataError
from tasks.unused_files import unused_files

TWO = ("train_data", "train_labels", "test_data", "test_labels")


def folder_of(folder, *names):
    """Write empty files, in folders where the names have some."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("train_data.csv", "train_lables.csv", "test_data.csv.gz", "test_labels.csv"), TWO),
        (("train_x.csv", "train_y.csv", "test_x.csv", "test_y.csv"), TWO),
        (("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"), TWO),
        (("Xtrain.csv", "ytrain.csv", "Xtest.csv", "ytest.csv"), TWO),
        (("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
          "t10k-labels-idx1-ubyte.gz"), TWO),
        (("train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte",
          "t10k-labels.idx1-ubyte"), TWO),
        (("emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte",
          "emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte"), TWO),
        (("mnist_train.csv", "mnist_test.csv"), ("train_data", "test_data")),
        (("fashion-mnist_train.csv", "fashion-mnist_test.csv"), ("train_data", "test_data")),
        (("train.csv", "test.csv"), ("train_data", "test_data")),
        (("optdigits.tra", "optdigits.tes"), ("train_data", "test_data")),
        (("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
         ("train_data", "test_data")),
        (("zip.train.gz", "zip.test.gz"), ("train_data", "test_data")),
        (("X_tr.npy", "lbl_tr.npy", "X_te.npy", "lbl_te.npy"), TWO),
        (("data.npy", "labels.npy"), ("data", "labels")),
        (("train/a/1.png", "test/a/1.png"), ("train_data", "test_data")),
        (("train/clean/1.png", "train/noisy/1.png", "test/clean/1.png", "test/noisy/1.png"),
         ("train_data", "train_noisy", "test_data", "test_noisy")),
        (("clean/1.png", "noisy/1.png"), ("data", "noisy")),
        (("GT/1.png", "input/1.png"), ("data", "noisy")),
        (("ground_truth/1.png", "degraded/1.png"), ("data", "noisy")),
        (("target/norain-1.png", "input/rain-1.png"), ("data", "noisy")),
        (("output/1.png", "input/1.png"), ("data", "noisy")),
        (("train/gt/1.png", "train/input/1.png", "test/gt/1.png", "test/input/1.png"),
         ("train_data", "train_noisy", "test_data", "test_noisy")),
        (("clean.npy", "noisy.npy"), ("data", "noisy")),
        (("train_clean.npy", "train_noisy.npy", "test_clean.npy", "test_noisy.npy"),
         ("train_data", "train_noisy", "test_data", "test_noisy")),
    ],
    ids=lambda value: value[0] if "." in value[0] else "",
)  # fmt: skip
def test_names_say_what_is_what(tmp_path, names, roles):
    """In the order of the names; what comes along and is no data is left aside."""
    folder_of(tmp_path, *names, "README.md", "LICENSE", ".DS_Store", "sample_submission.csv")
    found = find_files(tmp_path)

    tops = [re.sub(r"(/a)?/[^/]*\.png", "", name) for name in names]
    assert found == {role: tmp_path / top for role, top in zip(roles, tops, strict=True)}


def test_validation_images_are_left_aside(tmp_path):
    """The networks take theirs from the train images."""
    folder_of(tmp_path, "train.csv", "val.csv", "test.csv", "validation_labels.csv")
    found = find_files(tmp_path)

    assert set(found) == {"train_data", "test_data"}
    assert unused_files(tmp_path, found.values()) == ["val.csv", "validation_labels.csv"]


@pytest.mark.parametrize(
    ("names", "unused"),
    [
        (("train/a/1.png", "test/a/1.png", "extra/a/1.png", "docs/note.md"), ["extra"]),
        (("train/1.png", "test/1.png", "unlabeled/1.png", "__MACOSX/1.png"), ["unlabeled"]),
        (("train/clean/1.png", "train/noisy/1.png", "train/other/1.png", "test/clean/1.png",
          "test/noisy/1.png"), ["train/other"]),
        (("a/1.png", "b/1.png"), []),
        (("all.csv",), []),
        (("train_x.csv", "test_x.csv", "more/data.csv", "LICENSE"), ["more"]),
    ],
)  # fmt: skip
def test_images_that_are_not_used_are_named(tmp_path, names, unused):
    """Nobody should believe that the networks have seen them."""
    found = find_files(folder_of(tmp_path, *names))

    assert unused_files(tmp_path, found.values()) == unused


def test_a_folder_called_input_is_noisy_only_beside_clean_images(tmp_path):
    """Alone it holds the images, and beside others it is one of their classes."""
    alone = folder_of(tmp_path / "alone", "input/1.png", "input/2.png")
    classes = folder_of(tmp_path / "classes", "input/1.png", "button/1.png")
    project = folder_of(tmp_path / "project", "input/train.csv", "output/model.keras", "a/1.png")

    assert find_files(alone) == {"data": alone}
    assert find_files(classes) == {"data": classes}
    assert find_files(project) == {"data": project}


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("train/a/1.png", "val/a/1.png"), {"train_data": "train", "test_data": "val"}),
        (("train.csv", "dev.csv", "dev_labels.csv"),
         {"train_data": "train.csv", "test_data": "dev.csv", "test_labels": "dev_labels.csv"}),
        (("val.csv", "val_labels.csv"), {"data": "val.csv", "labels": "val_labels.csv"}),
        (("images.csv", "labels.csv", "valid.csv"),
         {"train_data": "images.csv", "train_labels": "labels.csv", "test_data": "valid.csv"}),
        (("train2017/1.png", "val2017/1.png"),
         {"train_data": "train2017", "test_data": "val2017"}),
        (("train.csv", "eval.csv"), {"train_data": "train.csv", "test_data": "eval.csv"}),
        (("train.csv", "dev.csv", "eval.csv"),
         {"train_data": "train.csv", "test_data": "eval.csv"}),
        (("data.csv", "eval.csv"), {"train_data": "data.csv", "test_data": "eval.csv"}),
        (("eval.csv",), {"data": "eval.csv"}),
        (("train.csv", "test.csv", "eval.csv"),
         {"train_data": "train.csv", "test_data": "test.csv"}),
    ],
)  # fmt: skip
def test_validation_images_are_the_test_images_where_there_are_no_others(tmp_path, names, roles):
    """Many sets have two parts, `train` and `val`; archives of arrays are read so, too."""
    found = find_files(folder_of(tmp_path, *names))

    assert found == {role: tmp_path / name for role, name in roles.items()}


def test_validation_and_evaluation_images_are_no_two_sets(tmp_path):
    """Neither is to train on, and neither is left out without a word."""
    with pytest.raises(DataError, match=r"train images are missing; there are dev\.csv, eval\.csv"):
        find_files(folder_of(tmp_path, "dev.csv", "eval.csv"))


def test_tables_are_found_in_folders_that_are_named_for_them(tmp_path):
    """As archives have them: a folder for each file, and the same file beside it once more."""
    one = folder_of(tmp_path / "one", "sign_train/sign_train.csv", "sign_test/sign_test.csv")
    two = folder_of(tmp_path / "two", "train/x.npy", "train/y.npy", "test/x.npy", "test/y.npy")
    idx = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
    twice = folder_of(tmp_path / "3", *(f"{name}/{name}" for name in idx),
                      *(name.replace("-idx", ".idx") for name in idx))  # fmt: skip

    assert find_files(one) == {"train_data": one / "sign_train/sign_train.csv",
                               "test_data": one / "sign_test/sign_test.csv"}  # fmt: skip
    assert set(find_files(two)) == set(TWO)
    assert find_files(two)["test_labels"] == two / "test/y.npy"
    assert find_files(twice) == {"train_data": twice / "train-images.idx3-ubyte",
                                 "test_data": twice / "t10k-images.idx3-ubyte"}  # fmt: skip

    (twice / "train-images.idx3-ubyte").write_text("something else")
    with pytest.raises(DataError, match="both exist"):
        find_files(twice)


def test_files_that_are_counted_are_one_table(tmp_path):
    """All of them, or none: with a part missing the others would be taken for all images."""
    names = [f"train-0000{number}-of-00003.parquet" for number in range(3)]
    folder = folder_of(tmp_path / "data", *names, "test-00000-of-00001.parquet")

    train = {role: path.name for role, path in find_files(folder).items() if "train" in role}
    assert train == dict(zip(
        ("train_data", "train_data-00001", "train_data-00002"), names, strict=True
    ))  # fmt: skip

    (folder / names[1]).unlink()
    with pytest.raises(DataError, match=f"{names[1]} is missing") as caught:
        find_files(folder)
    assert "the first file to train-00000-of-00002.parquet" in caught.value.advice
    (folder / names[0]).rename(folder / "train-00000-of-00002.parquet")
    (folder / names[2]).rename(folder / "train-00001-of-00002.parquet")
    assert len(find_files(folder)) == 3

    folder_of(folder, "train-00000-of-00009.parquet")
    with pytest.raises(DataError, match="all exist"):
        find_files(folder)


def test_what_comes_along_does_not_hide_the_one_folder(tmp_path):
    """A README beside the folder of the images."""
    folder = folder_of(tmp_path, "README.md", "data/train.csv", "data/test.csv")

    assert find_files(folder) == {"train_data": folder / "data/train.csv",
                                  "test_data": folder / "data/test.csv"}  # fmt: skip


def test_a_file_beside_folders_of_classes_does_not_hide_them(tmp_path):
    """Labels are the names of the folders; what may hold images itself is asked about."""
    labelled = folder_of(tmp_path / "1", "A/1.png", "B/1.png", "labels.txt")
    unclear = folder_of(tmp_path / "2", "A/1.png", "B/1.png", "data.json")
    flat = folder_of(tmp_path / "3", "images/1.png", "labels.csv")
    plain = folder_of(tmp_path / "4", "data.csv", "plots/1.png")

    assert find_files(labelled) == {"data": labelled}
    with pytest.raises(DataError, match=r"data\.json and pictures in folders \(A, B"):
        find_files(unclear)
    with pytest.raises(DataError, match=f"alone: --data {flat}/images"):
        find_files(flat)
    assert find_files(plain) == {"data": plain / "data.csv"}


@pytest.mark.parametrize(
    "names", [("valid", "invalid"), ("clean", "dirty"), ("noisy", "blurred"), ("dev", "ops")]
)
def test_a_class_with_the_name_of_a_role_is_a_class(tmp_path, names):
    """Alone among other folders of pictures, it says nothing of them."""
    folder = folder_of(tmp_path, f"{names[0]}/1.png", f"{names[1]}/2.png")

    assert find_files(folder) == {"data": folder}


def test_the_same_pictures_in_two_folders_are_no_classes(tmp_path):
    """They are pairs, of which only one folder is called by its name."""
    pairs = folder_of(tmp_path / "1", "ground_truth/1.png", "noisy/1.png")
    unknown = folder_of(tmp_path / "2", "sharp/1.png", "noisy/1.png")

    assert find_files(pairs) == {"data": pairs / "ground_truth", "noisy": pairs / "noisy"}
    with pytest.raises(DataError, match="train images and test images are missing"):
        find_files(unknown)


def test_a_class_that_is_called_train_is_asked_about(tmp_path):
    """It may be a vehicle; the steps lead to what was meant."""
    folder = folder_of(tmp_path, "car/1.png", "ship/1.png", "train/1.png")
    with pytest.raises(DataError, match="in train and in car, ship") as caught:
        find_files(folder)

    assert f"--data {folder / 'train'}" in caught.value.advice
    assert find_files(folder / "train") == {"data": folder / "train"}
    (folder / "train").rename(folder / re.search(r"e\.g\. to (\w+)", caught.value.advice)[1])
    assert find_files(folder) == {"data": folder}


def test_numbered_files_are_joined_once_they_are_named_as_parts(tmp_path):
    """Without that they may be folds, or versions."""
    folder = folder_of(tmp_path, "train_1.csv", "train_2.csv", "test.csv")
    with pytest.raises(DataError, match="both exist") as caught:
        find_files(folder)

    first, second = re.findall(r"train-[^\s,]+\.csv", caught.value.advice)
    (folder / "train_1.csv").rename(folder / first)
    (folder / "train_2.csv").rename(folder / second)
    assert len(find_files(folder)) == 3


def test_folders_of_pictures_further_down_are_named(tmp_path):
    """Neither is train nor test by its name, so that it is not guessed which one is meant."""
    folder = folder_of(tmp_path, "notMNIST_large/A/1.png", "notMNIST_small/A/1.png")

    with pytest.raises(DataError, match="notMNIST_large and notMNIST_small each hold folders"):
        find_files(folder)


def test_one_file_is_one_set_and_so_is_a_folder_of_pictures(tmp_path):
    """Given itself, alone in a folder, or in the one folder that an archive had."""
    folder_of(tmp_path, "one/digits.csv.gz", "flat/1.png", "classes/A/1.jpeg", "classes/B/2.jpeg",
              "archive/notMNIST_small/A/1.png")  # fmt: skip

    assert find_files(tmp_path / "one/digits.csv.gz") == {
        "data": tmp_path / "one/digits.csv.gz"}  # fmt: skip
    assert find_files(tmp_path / "one") == {"data": tmp_path / "one/digits.csv.gz"}
    assert find_files(tmp_path / "flat") == {"data": tmp_path / "flat"}
    assert find_files(tmp_path / "classes") == {"data": tmp_path / "classes"}
    assert find_files(tmp_path / "archive") == {"data": tmp_path / "archive/notMNIST_small"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no images, it is empty"),
        (("notes.md",), "no images; there are notes.md"),
        (("train.csv",), "test images are missing; there are train.csv"),
        (("test_labels.csv",), "train images and test images are missing"),
        (("a.csv", "b.csv"), r"a\.csv and b\.csv both exist.*--data FILE"),
        (("train.csv", "train.npy", "test.csv"), r"train\.csv and train\.npy both exist"),
        (
            ("train.csv", "train.npy", "test.csv", "test.npz"),
            r"test\.csv and test\.npz; train\.csv and train\.npy",
        ),
    ],
)
def test_what_is_missing_or_there_twice_is_named(tmp_path, names, message):
    """All of it at once."""
    with pytest.raises(DataError, match=message):
        find_files(folder_of(tmp_path, *names))
