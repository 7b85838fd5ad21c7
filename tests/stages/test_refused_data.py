"""Files that are refused: called by their names, with a step that works, which is then taken."""

import gzip
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from PIL import Image

from autoencoders.errors import PipelineError
from tests.forms import (
    SPLITS,
    content,
    csv,
    four_files,
    ingested,
    inspected,
    one_hot,
    pictures,
    scaled,
    text,
    zipped,
)

PIXELS, LABELS = SPLITS["train"]


def refused(data, *arguments):
    """Return the message of what is refused."""
    with pytest.raises(PipelineError) as caught:
        ingested(data, *arguments)
    return str(caught.value)


def options(advice):
    """Return the settings that the options in an advice make, `image` and `reading`."""
    found = {"image": {}, "reading": {}}
    for group, name, value in re.findall(r"--(image|reading)\.(\w+) ([\w.+-]+)", advice):
        found[group].setdefault(
            name, [value.rstrip(".")] if name == "accept" else value.rstrip(".")
        )
    return found


def run(command, folder):
    """Run what an advice says between its colon and its end, as a user would."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, shell=True, cwd=folder, check=True, env={**os.environ, "PATH": path})


def assert_right(made):
    for split, (pixels, labels) in SPLITS.items():
        found, names = content(made / f"{split}.parquet")
        assert np.array_equal(found, pixels)
        assert names == [str(one) for one in labels]


@pytest.mark.parametrize(
    ("encode", "kind", "step"),
    [
        (lambda rows: json.dumps(rows.tolist()).encode(), "JSON", r"array: (python .*)\.$"),
        (lambda rows: text(rows).encode("utf-16"), "UTF-16 text", r"UTF-8: (iconv .*)\.$"),
        (lambda rows: text(rows).encode("utf-16-le"), "UTF-16 text without a byte order mark",
         r"UTF-8: (iconv .*)\.$"),
        (lambda rows: text(rows).encode("utf-16-be"), "UTF-16 text without a byte order mark",
         r"UTF-8: (iconv .*)\.$"),
    ],
    ids=["JSON", "UTF-16", "UTF-16 without a mark", "UTF-16, big end first, without a mark"],
)  # fmt: skip
def test_a_command_that_is_advised_leads_to_the_right_pixels(tmp_path, encode, kind, step):
    """Typed as it stands, file after file."""
    four_files(tmp_path, encode)
    for _ in SPLITS:
        message = refused(tmp_path)
        assert kind in message
        run(re.search(step, message)[1], tmp_path)

    assert_right(ingested(tmp_path))


def records(split):
    pixels, labels = SPLITS[split]
    rows = zip(pixels.tolist(), labels.tolist(), strict=True)
    return [{"label": label, "pixels": image} for image, label in rows]


@pytest.mark.parametrize(
    ("encode", "kind"),
    [
        (lambda split: "\n".join(map(json.dumps, records(split))), "JSON, a value per line"),
        (lambda split: json.dumps(records(split), indent=1), "JSON, a table"),
        (lambda split: pd.DataFrame(np.c_[SPLITS[split][1], SPLITS[split][0]],
                                    columns=["label", *map(str, range(64))]).to_json(),
         "JSON, a table"),
        (lambda split: json.dumps({"x": SPLITS[split][0].tolist(), "y": SPLITS[split][1].tolist()}),
         "JSON, values by their names"),
    ],
    ids=["lines", "records", "columns", "names"],
)  # fmt: skip
def test_the_command_for_json_fits_its_form(tmp_path, encode, kind):
    """A list of images is only one of them."""
    for split in SPLITS:
        (tmp_path / f"{split}.json").write_text(encode(split))
    for _ in SPLITS:
        message = refused(tmp_path)
        assert kind in message
        run(re.search(r": (python .*)\.$", message)[1], tmp_path)

    assert_right(ingested(tmp_path))


def test_lines_of_json_that_are_images_lose_none(tmp_path):
    """Each line a list of values."""
    lines = [json.dumps(row) for row in PIXELS.tolist()]
    (tmp_path / "images.json").write_text("\n".join(lines))
    run(re.search(r": (python .*)\.$", refused(tmp_path))[1], tmp_path)

    assert inspected(ingested(tmp_path))["read"] == {"data": len(PIXELS)}


def test_bytes_of_no_known_form_are_no_text(tmp_path):
    """As in CIFAR's own files; a label may stand before each image. The command leads on."""
    file = tmp_path / "batch.bin"
    np.c_[LABELS, PIXELS].astype(np.uint8).tofile(file)
    message = refused(file)
    assert "a form that is not known, no text" in message

    command = re.search(r"python -c .*?\"(?=;)", message)[0]
    run(command.replace("N)", "65)[:, 1:]"), tmp_path)
    assert inspected(ingested(tmp_path / "batch.npy"))["read"] == {"data": len(PIXELS)}


def test_text_of_libsvm_is_called_so(tmp_path):
    """Each value has its number before it, and those that are 0 are left out."""
    rows = [" ".join(f"{at}:{value / 255:g}" for at, value in enumerate(row, 1) if value)
            for row in PIXELS]  # fmt: skip
    (tmp_path / "usps").write_text("".join(f"{label} {row} \n" for label, row in
                                           zip(LABELS, rows, strict=True)))  # fmt: skip

    message = refused(tmp_path)
    assert "LIBSVM" in message
    assert "load_svmlight_file('usps', n_features=N)" in message


def test_a_table_about_pictures_leads_to_their_folder(tmp_path):
    """Names and labels are no pixels."""
    (tmp_path / "list.csv").write_text("file,label\n" + "".join(f"{i}.png,{i}\n" for i in range(9)))

    assert "give the folder that they are in" in refused(tmp_path)


def arrays():
    (x_train, y_train), (x_test, y_test) = SPLITS.values()
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def as_hdf5(path):
    with h5py.File(path, "w") as file:
        for name, array in arrays().items():
            file[name] = array


def from_hdf5(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in arrays()}


@pytest.mark.parametrize(
    ("write", "read", "kind", "tool"),
    [
        (lambda path: path.write_bytes(pickle.dumps(arrays())),
         lambda path: pickle.loads(path.read_bytes()), "pickle", "pickle.load"),
        (as_hdf5, from_hdf5, "HDF5", "h5py.File"),
        (lambda path: scipy.io.savemat(path, arrays(), appendmat=False),
         lambda path: {k: v.squeeze() for k, v in scipy.io.loadmat(path, appendmat=False).items()
                       if k in arrays()}, "MATLAB", "scipy.io.loadmat"),
    ],
    ids=["pickle", "HDF5", "MATLAB"],
)  # fmt: skip
def test_arrays_of_other_programs_are_written_as_npz(tmp_path, write, read, kind, tool):
    """With the tool and the names that the message says."""
    write(tmp_path / "digits.data")
    message = refused(tmp_path)
    assert kind in message
    assert tool in message

    made = read(tmp_path / "digits.data")
    np.savez(tmp_path / re.search(r'savez\("(.*?)"', message)[1], **made)
    (tmp_path / "digits.data").unlink()
    assert_right(ingested(tmp_path))


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        (b"", "empty"),
        (LFS, "a Git LFS pointer, .*git lfs pull"),
        (gzip.compress(LFS, mtime=0), "a Git LFS pointer"),
        (b"/annex/objects/SHA256E-s1--0.csv\n", "git annex get"),
        (b"\n <!DOCTYPE html><p>", "a web page"),
        (b"<html>", "a web page"),
        (b"<?xml version='1.0'?>", "XML"),
        (bytes(5000), "zeros only"),
        (b'{"images": [[0, 1], [2, 3]]}', "JSON"),
        (b'[\n  {"label": 3}]', "JSON"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"ARROW1\0\0", "Feather"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"SQLite format 3\0", "SQLite"),
        (b"import numpy as np\n", "a Python program"),
        (b"#!/usr/bin/env python3\n", "a Python program"),
        (b'"""Load the data."""\n', "a Python program"),
    ],
)
@pytest.mark.parametrize("name", ["test_data.csv", "test_labels.csv"])
def test_what_is_no_table_is_called_by_its_name(tmp_path, beginning, message, name):
    """Images and labels alike, whatever it is called."""
    csv()(tmp_path)
    (tmp_path / name).write_bytes(beginning)

    assert re.search(rf"{re.escape(name)}, row 1, column 1: .*{message}", refused(tmp_path))


def test_an_excel_workbook_is_not_a_zipped_table(tmp_path):
    """It is a zip archive, too."""
    csv()(tmp_path)
    file = io.BytesIO(zipped(b"1,2"))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("[Content_Types].xml", "")
    (tmp_path / "test_data.csv").write_bytes(file.getvalue())

    assert "an Excel workbook" in refused(tmp_path)


def test_an_archive_is_extracted(tmp_path):
    """And the folder that comes out is given."""
    (tmp_path / "in").mkdir()
    pictures(tmp_path / "in")
    with tarfile.open(tmp_path / "images.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "in", arcname="letters")
    message = refused(tmp_path / "images.tar.gz")
    run(re.search(r"\((tar .*?)\)", message)[1], tmp_path)

    assert_right(ingested(tmp_path / "letters"))


def test_a_picture_is_given_with_its_folder(tmp_path):
    """One picture is no set of images."""
    pictures(tmp_path)
    assert "folder that it is in" in refused(tmp_path / "test" / "0" / "000.png")

    made = ingested(tmp_path / "test" / "0", reading={"test_fraction": 0.5})
    assert inspected(made)["read"] == {"data": 5}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda one: one / 80, "not a usual range for images"),
        (lambda one: one * 3.7 - 500, "not a usual range for images"),
        (lambda one: one / 255 + 0.7, "not a usual range for images"),
    ],
)
def test_a_range_that_nobody_knows_is_asked_for(tmp_path, values, message):
    """And the answer that the message offers leads to the right pixels."""
    scaled(values)(tmp_path)
    found = refused(tmp_path)
    assert message in found

    found = ingested(tmp_path, **options(found))
    assert np.abs(content(found / "train.parquet")[0].astype(int) - PIXELS).max() <= 1


def test_dots_between_thousands_are_told_from_decimal_points(tmp_path):
    """The step in the message leads to the right pixels, which --image.white would not."""
    folder = scaled(lambda one: one.astype(int) * 257)(tmp_path)
    for path in folder.glob("*_data.csv"):
        text = path.read_text()
        path.write_text(re.sub(r"\b(\d{1,2})(\d{3})\b", r"\1.\2", text))
    found = refused(folder)
    assert "1.028 for 1,028" in found
    assert "path.write_text(path.read_text().replace('.', ''))" in found

    for path in folder.glob("*_data.csv"):
        path.write_text(path.read_text().replace(".", ""))
    assert np.array_equal(content(ingested(folder) / "train.parquet")[0], PIXELS)


def standardised(pixels):
    return (pixels - pixels.mean()) / pixels.std()


UNLIKE = {
    "bytes and fractions": (lambda x: x, lambda x: x / 255),
    "fractions and bytes": (lambda x: x / 255, lambda x: x),
    "float bytes and fractions": (lambda x: x.astype(float), lambda x: x / 255),
    "fractions and twice as wide ones": (lambda x: x / 255, lambda x: x / 127.5 - 1),
    "wide fractions and others": (lambda x: x / 127.5 - 1, lambda x: x / 255 - 0.5),
    "bytes and wide fractions": (lambda x: x, lambda x: x / 127.5 - 1),
    "standardised and fractions": (standardised, lambda x: x / 255),
}


@pytest.mark.parametrize(("train", "test"), UNLIKE.values(), ids=UNLIKE)
def test_train_and_test_of_two_ranges_are_refused(tmp_path, train, test):
    """One of them would be black, or half as bright. The formula that the message has leads on."""
    values = {"train": train(SPLITS["train"][0]), "test": test(SPLITS["test"][0])}
    for split, one in values.items():
        np.save(tmp_path / f"{split}.npy", one)
    message = refused(tmp_path)
    assert "one range in all files" in message
    if "standardised" in message:
        return

    split = re.search(r"/(\w+)\.npy \(NumPy array\): values from", message)[1]
    formula = re.search(r"range of the others: (.*?); or", message)[1]
    np.save(tmp_path / f"{split}.npy", eval(formula, {"x": values[split]}))
    made = ingested(tmp_path)
    for split, (pixels, _) in SPLITS.items():
        assert np.array_equal(content(made / f"{split}.parquet")[0], pixels)


def test_ranges_of_which_one_lies_in_the_other_are_read(tmp_path):
    """Dark images, or black and white ones, are no mistake; a warning says what was taken."""
    np.save(tmp_path / "train.npy", PIXELS)
    np.save(tmp_path / "test.npy", SPLITS["test"][0] // 128)
    made = ingested(tmp_path)
    share, split = [one["text"] for one in inspected(made)["warnings"]]
    assert "33% of the images are nearly black: no value is above 1, of 255 for white" in share
    assert "of the test images is 1, but 255" in split
    assert content(made / "test.parquet")[0].max() == 1

    np.save(tmp_path / "train.npy", PIXELS / 255)
    assert content(ingested(tmp_path) / "test.parquet")[0].max() == 255


@pytest.mark.parametrize(
    ("clean", "noisy", "message"),
    [
        (lambda x: x / 255, lambda x: x, "noisy values run from 0 to 255"),
        (lambda x: x, lambda x: x / 255, "noisy values run from 0 to 1"),
        (lambda x: x / 255, lambda x: np.where(x == 255, np.nan, x / 255), "expected a number"),
    ],
)
def test_noisy_twins_of_another_range_are_refused(tmp_path, clean, noisy, message):
    """All of them would be black, or white."""
    np.save(tmp_path / "clean.npy", clean(PIXELS))
    np.save(tmp_path / "noisy.npy", noisy(PIXELS))

    assert re.search(message, refused(tmp_path))


def test_noise_may_go_far_beyond_black_and_white(tmp_path):
    """As unclipped noise does."""
    noise = np.random.default_rng(0).normal(0, 2, PIXELS.shape)
    np.save(tmp_path / "clean.npy", PIXELS / 255)
    np.save(tmp_path / "noisy.npy", PIXELS / 255 + noise)

    assert inspected(ingested(tmp_path))["warnings"] == []


@pytest.mark.parametrize("option", ["image", "reading"])
@pytest.mark.parametrize("value", [256, -1])
def test_a_value_outside_of_all_others_is_clipped_or_meant(tmp_path, option, value):
    """Each of the two ways that the message offers is one."""
    pixels = SPLITS["test"][0].astype(int)
    csv()(tmp_path)
    pixels[7, 9] = value
    (tmp_path / "test_data.csv").write_text(text(pixels))
    message = refused(tmp_path)
    assert re.search(rf"test_data\.csv, row 8, column 10: .*got {value}\.", message)

    chosen = options(message)[option]
    found = content(ingested(tmp_path, **{option: chosen}) / "test.parquet")[0]
    assert found[7, 9] == (255 if value > 0 else 0)
    assert np.abs(found.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity"])
def test_a_value_that_is_no_number_is_named(tmp_path, value):
    """Nothing could be done with it."""
    csv()(tmp_path)
    rows = text(SPLITS["test"][0]).splitlines()
    rows[4] = value + rows[4][rows[4].index(",") :]
    (tmp_path / "test_data.csv").write_text("\n".join(rows))

    assert re.search(r"test_data\.csv, row 5, column 1: ", refused(tmp_path))


def test_an_array_with_nan_is_named_by_image_and_value(tmp_path):
    """An array has no rows and columns of text."""
    values = PIXELS / 255
    values[3, 5] = np.nan
    np.save(tmp_path / "images.npy", values)

    assert re.search(
        r"images\.npy, image 4, value 6: expected a number, got nan", refused(tmp_path)
    )


def test_an_ambiguous_shape_is_asked_for(tmp_path):
    """With every shape that it may have; the first is the most square one."""
    four_files(tmp_path, lambda pixels: text(pixels[:, :60]).encode())
    message = refused(tmp_path)
    assert "--image.height 6 --image.width 10" in message

    found = inspected(ingested(tmp_path, image={"height": 6, "width": 10}))
    assert found["shape"] == [6, 10, 1]


LAYOUTS = {
    "names first": lambda labels: labels,
    "names last": lambda labels: labels[labels.columns[::-1]],
    "another column": lambda labels: labels.assign(source="web")[[labels.columns[0], "source",
                                                                  "label"]],
    "leading zeros": lambda labels: labels.assign(
        **{labels.columns[0]: labels[labels.columns[0]].map("{:05d}".format)}),
}  # fmt: skip


@pytest.mark.parametrize("change", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", ["id", "Unnamed: 0"])
def test_labels_in_another_order_than_the_images_are_refused(tmp_path, name, change):
    """Both files name their rows, wherever; the step works. The same order may be any."""
    order = np.random.default_rng(0).permutation(len(PIXELS))
    images = pd.DataFrame(PIXELS, columns=[f"pixel{at}" for at in range(64)])
    images.insert(0, name, np.arange(len(PIXELS)))
    labels = pd.DataFrame({name: images[name], "label": LABELS})

    def write(images, labels):
        images.to_csv(tmp_path / "data.csv", index=False)
        change(labels).to_csv(tmp_path / "labels.csv", index=False)

    def found():
        made = ingested(tmp_path)
        pairs = zip(*(content(made / f"{split}.parquet") for split in SPLITS), strict=True)
        pixels, names = [np.concatenate(parts) for parts in pairs]
        return sorted((image.tobytes(), label) for image, label in zip(pixels, names, strict=True))

    write(images, labels)
    expected = found()
    write(images.iloc[order], labels.iloc[order])
    assert found() == expected

    write(images, labels.iloc[order])
    message = refused(tmp_path)
    assert re.search(rf"the label of the row 0*{order[0]}, but data.csv has the row 0", message)
    step = re.search(r"(labels\.set_index.*reset_index\(\))", message)[1]
    write(images, eval(step, {"labels": labels.iloc[order], "images": images, "NAME": name}))
    assert found() == expected

    write(images, labels.assign(**{name: labels[name] + 1}))  # both count, from 0 and from 1
    assert found() == expected
    write(images, labels.iloc[order].replace({name: {3: 99}}))  # an image has no label
    assert "Expected the rows of both in the same order" in refused(tmp_path)


def test_columns_that_are_images_are_asked_about(tmp_path):
    """By the number of rows, 8 x 8: no shape of 40 values would make images of them."""
    np.save(tmp_path / "images.npy", PIXELS.T)
    assert "in 64 rows, turn it: images.T." in refused(tmp_path)

    (tmp_path / "images.npy").unlink()
    (tmp_path / "images.csv").write_text(text(PIXELS.T))
    message = refused(tmp_path)
    assert "If each column is an image, of 8 x 8 x 1 in 64 rows, set --reading.rows" in message
    made = inspected(ingested(tmp_path, {}, {"rows": "pixels"}))
    assert (made["shape"], made["read"]) == ([8, 8, 1], {"data": len(PIXELS)})


def test_train_and_test_must_have_one_shape(tmp_path):
    """Both are told."""
    csv()(tmp_path)
    (tmp_path / "test_data.csv").write_text(text(SPLITS["test"][0][:, :49]))

    assert re.search(r"7 x 7 x 1.*8 x 8 x 1", refused(tmp_path))


@pytest.mark.parametrize("values", [lambda one: one * 0, lambda one: one * 0 + one[:1]])
def test_images_that_are_all_alike_are_refused_unless_meant(tmp_path, values):
    """There is nothing to learn from them."""
    scaled(values)(tmp_path)
    message = refused(tmp_path)
    assert "alike" in message

    assert inspected(ingested(tmp_path, **options(message)))["images"]["train"] == len(PIXELS)


def test_missing_test_images_are_drawn_from_the_train_images_if_so_wished(tmp_path):
    """The message names the file to give."""
    csv()(tmp_path)
    for name in ("test_data.csv", "test_labels.csv", "train_labels.csv"):
        (tmp_path / name).unlink()
    file = re.search(r"--data (\S+)\.$", refused(tmp_path))[1]

    assert inspected(ingested(Path(file)))["read"] == {"data": len(PIXELS)}


def test_missing_test_images_are_drawn_with_their_labels(tmp_path):
    """Where labels are a file of their own, two files are renamed."""
    csv()(tmp_path)
    for name in ("test_data.csv", "test_labels.csv"):
        (tmp_path / name).unlink()
    names = re.search(r"rename (\S+) to (\S+) and (\S+) to (\S+)\.$", refused(tmp_path)).groups()
    (tmp_path / names[0]).rename(tmp_path / names[1])
    (tmp_path / names[2]).rename(tmp_path / names[3])

    found = inspected(ingested(tmp_path))
    assert found["read"] == {"data": len(PIXELS)}
    assert found["labels"]["train"]["classes"] == 4


def test_one_of_several_files_is_asked_for(tmp_path):
    """And can be given."""
    for name in ("letters.csv", "digits.csv"):
        (tmp_path / name).write_text(text(PIXELS))
    message = refused(tmp_path)
    assert "digits.csv and letters.csv both exist" in message

    assert inspected(ingested(Path(re.search(r"e\.g\. (\S+)\.$", message)[1])))


def test_a_missing_label_is_filled_in(tmp_path):
    """It is named by its row: removing the last image would give all others a wrong label."""
    csv()(tmp_path)
    labels = text(LABELS[:, None]).splitlines()
    (tmp_path / "train_labels.csv").write_text("\n".join([*labels[:3], "", *labels[4:], ""]))
    assert re.search(r"train_labels\.csv, row 4, column 1: .*missing", refused(tmp_path))

    (tmp_path / "train_labels.csv").write_text("\n".join(labels))
    assert_right(ingested(tmp_path))


def test_too_many_labels_are_removed(tmp_path):
    """Those behind the last image, whose row is named."""
    csv()(tmp_path)
    path = tmp_path / "test_labels.csv"
    path.write_text(path.read_text() + "3\n2\n")
    row = int(re.search(r"test_labels\.csv, row (\d+), ", refused(tmp_path))[1])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[: row - 1]))

    assert_right(ingested(tmp_path))


def test_one_hot_labels_without_a_one_are_refused(tmp_path):
    """Such an image has no class."""
    one_hot(tmp_path)
    rows = (tmp_path / "test_labels.csv").read_text().splitlines()
    rows[2] = "0,0,0,0"
    (tmp_path / "test_labels.csv").write_text("\n".join(rows))

    assert re.search(r"test_labels\.csv, row \d, ", refused(tmp_path))


def test_a_broken_picture_is_named_and_left_out(tmp_path):
    """The others are as good as before."""
    pictures(tmp_path)
    (tmp_path / "train" / "1" / "010.png").write_bytes(b"")
    Image.fromarray(PIXELS[0].reshape(8, 8)).save(tmp_path / "train" / "1" / "broken.png")
    broken = tmp_path / "train" / "1" / "broken.png"
    broken.write_bytes(broken.read_bytes()[:40])
    found = inspected(ingested(tmp_path))

    assert found["images"]["train"] == len(PIXELS) - 1
    assert "broken.png" in found["warnings"][0]["text"]
    assert "010.png" in found["warnings"][0]["text"]
