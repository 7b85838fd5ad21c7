"""Every form of the same images becomes the same bytes; sets are split, paired and compared."""

import numpy as np
import pytest
from PIL import Image

from tasks.find_files import find_files
from tasks.formats.errors import DataError
from tests.forms import (
    FORMS,
    SIDE,
    SPLITS,
    content,
    csv,
    four_files,
    ingested,
    inspected,
    table,
    tables,
    text,
)
from tests.support import HOME


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The tables of the reference form, by split."""
    made = ingested(FORMS[0].write(tmp_path_factory.mktemp("reference")))
    return {split: (made / f"{split}.parquet").read_bytes() for split in SPLITS}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_form_makes_the_same_tables(tmp_path, expected, form):
    """Bit for bit, so that the form of a file recomputes nothing downstream."""
    made = ingested(form.write(tmp_path), reading=form.reading)

    assert {split: (made / f"{split}.parquet").read_bytes() for split in SPLITS} == expected


ONLY_BY_ARITHMETIC = {"label last, no header", "Parquet, a column per pixel"}
"""Forms that have a column more than pixels, which is a pixel if it is no label."""


@pytest.mark.parametrize(
    "form",
    [form for form in FORMS if form.name not in ONLY_BY_ARITHMETIC],
    ids=lambda form: form.name,
)
def test_every_form_is_read_without_its_labels(tmp_path, form):
    """In a column, a file, an archive or the names of folders."""
    made = ingested(form.write(tmp_path), reading={**form.reading, "label": "none"})

    for split, (pixels, _) in SPLITS.items():
        found, names = content(made / f"{split}.parquet")
        assert np.array_equal(found, pixels)
        assert names is None


def test_the_reference_form_holds_the_pixels_as_drawn(tmp_path):
    """What all others are compared with is itself right."""
    made = ingested(FORMS[0].write(tmp_path))

    for split, (pixels, labels) in SPLITS.items():
        found, names = content(made / f"{split}.parquet")
        assert np.array_equal(found, pixels)
        assert names == [str(one) for one in labels]


def test_the_table_of_forms_in_the_docs_is_what_is_recognised():
    """Written by `python -m tests.forms`."""
    assert table() in (HOME / "docs" / "data.md").read_text(encoding="utf-8")


def one_file(folder, pixels, labels):
    path = folder / "digits.csv"
    path.write_text(text(np.c_[pixels, labels]))
    return path


def test_one_set_is_split_by_the_content_of_its_images(tmp_path):
    """More images, in another order, move none of those that were there; copies stay together."""
    pixels = np.concatenate([SPLITS["train"][0], SPLITS["test"][0], SPLITS["test"][0][:30]])
    labels = np.arange(len(pixels)) % 4
    few = ingested(one_file(tmp_path, pixels[:40], labels[:40]))
    order = np.random.default_rng(0).permutation(len(pixels))
    many = ingested(one_file(tmp_path, pixels[order], labels[order]))
    sides = [
        {
            split: {row.tobytes() for row in content(made / f"{split}.parquet")[0]}
            for split in SPLITS
        }
        for made in (few, many)
    ]

    for split in SPLITS:
        assert sides[0][split] <= sides[1][split]
    assert not sides[1]["train"] & sides[1]["test"]
    assert 4 <= len(sides[1]["test"]) <= 24  # a fifth of 60, drawn
    assert sum(inspected(many)["images"].values()) == len(pixels)


def test_another_seed_splits_otherwise_but_two_sets_know_none(tmp_path):
    """Where the user has split the images, the seed is of no effect."""
    path = one_file(tmp_path, *SPLITS["train"])
    splits = [content(ingested(path, seed=seed) / "test.parquet")[0] for seed in (0, 1)]
    (tmp_path / "two").mkdir()
    two = csv()(tmp_path / "two")
    made = [(ingested(two, seed=seed) / "test.parquet").read_bytes() for seed in (0, 1)]

    assert splits[0].tobytes() != splits[1].tobytes()
    assert made[0] == made[1]


def test_the_same_images_of_a_set_are_test_images_in_every_form(tmp_path):
    """The side follows from pixels, not from text."""
    pixels, labels = SPLITS["train"]
    np.savez(tmp_path / "all.npz", images=pixels / 255.0, labels=labels)
    made = [ingested(one) for one in (one_file(tmp_path, pixels, labels), tmp_path / "all.npz")]

    assert (made[0] / "test.parquet").read_bytes() == (made[1] / "test.parquet").read_bytes()


def test_words_are_classes(tmp_path):
    """Sorted by name, over train and test together."""
    four_files(tmp_path, lambda pixels: text(pixels).encode())
    (tmp_path / "train_labels.csv").write_text("boot\ncoat\n" * 20)
    (tmp_path / "test_labels.csv").write_text("bag\nboot\n" * 10)
    made = ingested(tmp_path)

    assert content(made / "train.parquet")[1] == ["boot", "coat"] * 20
    assert content(made / "test.parquet")[1] == ["bag", "boot"] * 10
    assert [one["code"] for one in inspected(made)["warnings"]] == ["new-class"]


def test_labels_are_optional(tmp_path):
    """Nowhere, or as in Kaggle's `test.csv`, for train images alone."""
    pixels, labels = SPLITS["train"]
    (tmp_path / "train.csv").write_text(text(np.c_[labels, pixels]))
    (tmp_path / "test.csv").write_text(text(SPLITS["test"][0]))
    made = ingested(tmp_path)

    assert content(made / "train.parquet")[1] == [str(one) for one in labels]
    assert content(made / "test.parquet")[1] is None
    assert np.array_equal(content(made / "test.parquet")[0], SPLITS["test"][0])


def write_pairs(folder):
    """Write pictures and noisier ones of the same names, per split."""
    for split, (pixels, _) in SPLITS.items():
        noisy = pixels ^ np.random.default_rng(1).integers(0, 32, pixels.shape, np.uint8)
        for kind, rows in (("clean", pixels), ("noisy", noisy)):
            place = folder / split / kind
            place.mkdir(parents=True)
            for number, row in enumerate(rows):
                Image.fromarray(row.reshape(SIDE, SIDE)).save(place / f"{number:03}.png")
    return folder


def test_pairs_are_the_users_own_noise(tmp_path):
    """Each clean image keeps its noisy twin."""
    made = ingested(write_pairs(tmp_path))

    assert sorted(find_files(tmp_path)) == ["test_data", "test_noisy", "train_data", "train_noisy"]
    for split, (pixels, _) in SPLITS.items():
        clean, _ = content(made / f"{split}.parquet")
        noisy, _ = content(made / f"{split}_noisy.parquet")
        assert np.array_equal(clean, pixels)
        assert np.array_equal(
            clean ^ noisy, np.random.default_rng(1).integers(0, 32, pixels.shape, np.uint8)
        )


@pytest.mark.parametrize("split", ["", "train/", "test/"])
def test_masks_are_no_class_and_without_them_the_images_are_read(tmp_path, split):
    """They are called like the images that they belong to."""
    pixels = SPLITS["train"][0]
    for place in {"", split} if not split else {"train/", "test/"}:
        for kind in ("images", "masks") if place == split else ("images",):
            folder = tmp_path / "data" / place / kind
            folder.mkdir(parents=True)
            for number, row in enumerate(pixels):
                Image.fromarray(row.reshape(SIDE, SIDE)).save(folder / f"{number:03}.png")

    with pytest.raises(DataError, match=r"no class of images\. Move masks away; or, .* to masks1"):
        ingested(tmp_path / "data")
    (tmp_path / "data" / split / "masks").rename(tmp_path / "away")
    made = ingested(tmp_path / "data")
    found = np.concatenate([content(made / f"{one}.parquet")[0] for one in SPLITS])
    assert {row.tobytes() for row in found} == {row.tobytes() for row in pixels}


def test_pairs_of_one_set_are_split_together(tmp_path):
    """A noisy image goes where its clean one goes."""
    pixels = SPLITS["train"][0]
    np.save(tmp_path / "clean.npy", pixels)
    np.save(tmp_path / "noisy.npy", pixels ^ 1)
    made = ingested(tmp_path)

    for split in SPLITS:
        clean, _ = content(made / f"{split}.parquet")
        noisy, _ = content(made / f"{split}_noisy.parquet")
        assert np.array_equal(noisy, clean ^ 1)


def test_what_an_archive_leaves_out_is_said_once(tmp_path):
    """Its train and test images are in the same file."""
    (x_train, _), (x_test, _) = SPLITS.values()
    np.savez(tmp_path / "data.npz", x_train=x_train, x_val=x_test, x_test=x_test)
    found = inspected(ingested(tmp_path / "data.npz"))

    assert [one["text"] for one in found["warnings"]] == ["Arrays that are left out: x_val."]


def test_a_twin_that_is_missing_is_named(tmp_path):
    """Without it, every later image would get the noise of another one."""
    write_pairs(tmp_path)
    (tmp_path / "train" / "noisy" / "007.png").unlink()

    with pytest.raises(DataError, match=r"007\.png is in one of them only"):
        ingested(tmp_path)


def test_a_second_label_is_compared_with_the_first(tmp_path):
    """A label column makes a file of labels needless; where they differ, somebody must know."""
    tables(tmp_path, lambda pixels, labels: text(np.c_[labels, pixels]), "{}_data.csv")
    for split, (_, labels) in SPLITS.items():
        (tmp_path / f"{split}_labels.csv").write_text(text(labels[:, None]))
    assert inspected(ingested(tmp_path))["warnings"] == []
    (tmp_path / "test_labels.csv").write_text(text(SPLITS["test"][1][::-1][:, None]))

    [found] = inspected(ingested(tmp_path))["warnings"]
    assert found["code"] == "two-labels"
    assert found["text"].startswith("20 labels")


def test_a_file_is_opened_by_its_content_not_by_its_name(tmp_path):
    """The same bytes under any name are the same file, and have the same key."""
    np.save(tmp_path / "x.npy", SPLITS["train"][0])
    (tmp_path / "x.npy").rename(tmp_path / "images.csv.gz")

    assert inspected(ingested(tmp_path / "images.csv.gz"))["form"] == {"data": "NumPy array"}
