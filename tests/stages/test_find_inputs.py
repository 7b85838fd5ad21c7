"""Which files of a folder are denoised, and where nothing is written."""

from pathlib import Path

import pytest

from tasks.find_inputs import check_places, find_inputs
from tasks.formats.errors import DataError


def files(folder: Path, *names: str) -> Path:
    """Make empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_images_labels_and_everything_else_are_told_apart(tmp_path):
    """By their names, at any depth; what systems and this program leave is left aside."""
    found = find_inputs(
        files(
            tmp_path, "train_data.csv.gz", "train_lables.csv", "val/x_val.npy", "a/b/1.png",
            "2.JPG", "README.txt", "manifest.json", "before_after.png", ".hidden.csv", "notes.pdf",
            "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
        )
    )  # fmt: skip

    names = {kind: [str(one) for one in getattr(found, kind)]
             for kind in ("tables", "pictures", "labels")}  # fmt: skip
    assert names == {
        "tables": ["t10k-images-idx3-ubyte", "train_data.csv.gz", "val/x_val.npy"],
        "pictures": ["2.JPG", "a/b/1.png"],
        "labels": ["t10k-labels-idx1-ubyte", "train_lables.csv"],
    }


def test_a_single_picture_is_enough(tmp_path):
    """Its folder does not count."""
    found = find_inputs(files(tmp_path, "a.png", "b.csv") / "a.png")

    assert (found.root, found.pictures, found.tables) == (tmp_path, [Path("a.png")], [])


@pytest.mark.parametrize("names", [(), ("notes.pdf",), ("train_labels.csv",)])
def test_a_folder_without_images_is_refused(tmp_path, names):
    """Labels are no images."""
    with pytest.raises(DataError, match="no images in it"):
        find_inputs(files(tmp_path, *names))


def test_clean_images_beside_noisy_ones_are_asked_about(tmp_path):
    """The folder in the answer holds the noisy ones alone."""
    files(tmp_path, "noisy/1.png", "clean/1.png")
    with pytest.raises(DataError, match="noisy images and clean ones") as refused:
        find_inputs(tmp_path)

    given = refused.value.advice.partition("--input ")[2]
    assert [str(one) for one in find_inputs(Path(given)).pictures] == ["1.png"]


def test_nothing_is_written_over_the_input(tmp_path):
    """Under whatever name the folder is given, or in a folder among the images."""
    images = files(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "link").symlink_to(images)

    for output in (images, tmp_path / "link", images / "out", images / ".." / "in"):
        with pytest.raises(DataError, match="--output"):
            check_places(find_inputs(images), output)
    with pytest.raises(DataError, match="written over itself"):
        check_places(find_inputs(images / "a.png"), images)


def test_a_hard_link_to_the_input_is_the_input(tmp_path):
    """Replacing it would leave the input, but nobody means that."""
    images = files(tmp_path / "in", "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").hardlink_to(images / "a.png")

    with pytest.raises(DataError, match="written over itself"):
        check_places(find_inputs(images), tmp_path / "out")


def test_files_of_somebody_else_are_left_alone(tmp_path):
    """A folder is new, empty, or was written by denoising before."""
    found = find_inputs(files(tmp_path / "in", "a.png"))
    files(tmp_path / "mine", "a.png")
    (tmp_path / "file").touch()

    check_places(found, tmp_path / "new")
    check_places(found, files(tmp_path / "again", "a.png", "manifest.json"))
    with pytest.raises(DataError, match="not written by denoising"):
        check_places(found, tmp_path / "mine")
    with pytest.raises(DataError, match="expected a folder"):
        check_places(found, tmp_path / "file")
