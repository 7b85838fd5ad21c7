"""Ingest and prepare on real small files, and every way in which files are wrong."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.formats.errors import DataError
from tasks.formats.image_table import read_image_table
from tasks.ingest import ingest
from tasks.prepare import prepare
from tests.support import write_dataset

SIDE = 8
IMAGE = ImageSettings(height=SIDE, width=SIDE)
READING = ReadingSettings()


@pytest.fixture
def data(tmp_path):
    """The four files, 60 and 20 rows of 8 x 8."""
    return write_dataset(tmp_path / "data")


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


def ingested(store, data, image=IMAGE, reading=READING):
    inputs = {"files": input_refs(find_files(data)), "image": image, "reading": reading, "seed": 0}
    return stage_of(ingest).compute(store, inputs)


def prepared(store, table):
    return stage_of(prepare).compute(store, {"table": table})


def lines(path):
    return path.read_text().splitlines()


def rewrite(path, rows):
    path.write_text("\n".join(rows) + "\n")


def test_the_table_holds_what_the_files_hold(store, data):
    """Pixels as bytes, the labels beside them, in the order of the files."""
    artifact = ingested(store, data)
    table = pq.read_table(artifact["test.parquet"].path)
    pixels = np.loadtxt(data / "test_data.csv", delimiter=",", dtype=int)

    assert table.column_names == ["pixels", "label"]
    stored = np.frombuffer(b"".join(table["pixels"].to_pylist()), np.uint8)
    assert np.array_equal(stored.reshape(-1, SIDE * SIDE), pixels)
    assert table["label"].to_pylist() == [i % 10 for i in range(20)]
    assert pq.read_metadata(artifact["train.parquet"].path).num_rows == 60


def test_prepare_makes_images_of_the_rows(store, data):
    """Float32 in [0, 1], (n, height, width, channels), and the file can be memory-mapped."""
    tables = ingested(store, data)
    artifact = prepared(store, tables["test.parquet"])
    images = np.load(artifact["images.npy"].path, mmap_mode="r")
    pixels = np.loadtxt(data / "test_data.csv", delimiter=",", dtype=np.float32)

    assert images.shape == (20, SIDE, SIDE, 1)
    assert images.dtype == np.float32
    assert np.array_equal(images.reshape(20, -1), pixels / np.float32(255))
    assert np.load(artifact["labels.npy"].path).tolist() == [i % 10 for i in range(20)]


def test_files_longer_than_a_batch_are_joined_right(store, tmp_path, monkeypatch):
    """Images and labels arrive in blocks of different sizes; row 20,000 keeps its own label."""
    monkeypatch.setattr("tasks.formats.image_table.GROUP", 1 << 16)
    monkeypatch.setattr("tasks.prepare.SIZE", 1 << 16)
    data = write_dataset(tmp_path / "long", train=20_001, test=4, side=4)
    image = ImageSettings(height=4, width=4)
    tables = ingested(store, data, image)
    artifact = prepared(store, tables["train.parquet"])
    last = gzip.decompress((data / "train_data.csv.gz").read_bytes()).splitlines()[-1]

    images = np.load(artifact["images.npy"].path)
    assert images.shape == (20_001, 4, 4, 1)
    assert np.array_equal(np.rint(images[-1].ravel() * 255), [int(v) for v in last.split(b",")])
    assert np.array_equal(np.load(artifact["labels.npy"].path), np.arange(20_001) % 10)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [",".join(f"pixel{i}" for i in range(SIDE * SIDE)), *rows],
        lambda rows: ["\ufeff" + rows[0], *rows[1:]],
        lambda rows: [row + "\r" for row in rows],
        lambda rows: [",".join(f'"{v}"' for v in row.split(",")) for row in rows],
        lambda rows: [row.replace(",", ", ") for row in rows],
        lambda rows: [*rows, "", ""],
        lambda rows: [row.replace(",", " ,00") for row in rows],
        lambda rows: [row.replace(",", ",00000") for row in rows],
        lambda rows: ['"pixel 0, 1","pixel 0, 2"', *rows],
        lambda rows: ['pixel,"unclosed', *rows],
        lambda rows: [row.replace(",", ";") for row in rows],
        lambda rows: [row.replace(",", "\t") for row in rows],
        lambda rows: [row.replace(",", " ") for row in rows],
        lambda rows: [row + "," for row in rows],
        lambda rows: [*rows, "  \t"],
        lambda rows: [row.replace(",", ".0,") + ".0" for row in rows],
        lambda rows: [",".join(f"{int(v):.2e}" for v in row.split(",")) for row in rows],
        lambda rows: [f"{index},{row}" for index, row in enumerate(rows)],
    ],
    ids=["header", "byte order mark", "CRLF", "quotes", "spaces", "blank lines at the end",
         "leading zeros", "many leading zeros", "commas in a header", "a quote in a header",
         "semicolons", "tabs", "spaces between", "a comma at each end", "blanks at the end",
         "floats", "exponents", "row numbers"],
)  # fmt: skip
def test_harmless_differences_are_accepted(store, data, change):
    """The same images come out, whatever program wrote the file."""
    before = ingested(store, data)["test.parquet"].sha256
    rewrite(data / "test_data.csv", change(lines(data / "test_data.csv")))

    assert ingested(store, data)["test.parquet"].sha256 == before


def test_column_numbers_that_pandas_writes_are_a_header(store, tmp_path):
    """`DataFrame(pixels).to_csv(index=False)` begins with 0,1,2,…,783."""
    data = write_dataset(tmp_path / "wide", train=10, test=4, side=28)
    before = ingested(store, data, ImageSettings())["test.parquet"].sha256
    rows = lines(data / "test_data.csv")
    rewrite(data / "test_data.csv", [",".join(map(str, range(784))), *rows])

    after = ingested(store, data, ImageSettings())
    assert after["test.parquet"].sha256 == before


@pytest.mark.parametrize(
    "text",
    ["{}", "000{}", "0" * 5000 + "{}", '" {} "', " {}\t", "{}\r"],
    ids=["plain", "zeros", "many zeros", "quotes", "blanks", "CRLF"],
)
@pytest.mark.parametrize("label", [256, 2**32 - 1])
def test_labels_may_be_above_255(store, data, text, label):
    """Whole numbers up to 2**32 - 1, in the dialects that pixels may have."""
    rewrite(data / "test_labels.csv", [*lines(data / "test_labels.csv")[:-1], text.format(label)])

    table = pq.read_table(ingested(store, data)["test.parquet"].path)
    assert table["label"].to_pylist() == [*(i % 10 for i in range(19)), label]


@pytest.mark.parametrize("first", [0, 1])
def test_column_numbers_that_could_be_an_image_are_refused(store, data, first):
    """With those of the labels they would make a pair: an image that nobody drew."""
    for name in ("test_data.csv", "test_labels.csv"):
        rows = lines(data / name)
        width = rows[0].count(",") + 1
        rewrite(data / name, [",".join(str(first + i) for i in range(width)), *rows])

    with pytest.raises(DataError, match=r"test_(data|labels)\.csv, row \d+, "):
        ingested(store, data)


@pytest.mark.parametrize("text", ["7", "7\n", "7\r\n", "\ufeff7", "a\n7", "a\r\n7\r"])
def test_the_smallest_files_are_read(store, data, text):
    """One row, with or without a header, a line end, a byte order mark."""
    rewrite(data / "test_data.csv", lines(data / "test_data.csv")[:1])
    (data / "test_labels.csv").write_bytes(text.encode())

    table = pq.read_table(ingested(store, data)["test.parquet"].path)
    assert table["label"].to_pylist() == [7]


@pytest.mark.slow
def test_images_need_not_be_small(store, tmp_path):
    """Memory goes by bytes, not by rows: four images of 2048 x 2048 in colour."""
    image = ImageSettings(height=2048, width=2048, channels=3)
    rows = ["77," * (2048 * 2048 * 3 - 1) + str(value) for value in (1, 2)]
    for split in ("train", "test"):
        rewrite(tmp_path / f"{split}_data.csv", rows)
        rewrite(tmp_path / f"{split}_labels.csv", ["0", "1"])
    tables = ingested(store, tmp_path, image)
    made = prepared(store, tables["test.parquet"])

    images = np.load(made["images.npy"].path, mmap_mode="r")
    assert images.shape == (2, 2048, 2048, 3)
    assert (images[:, -1, -1, -1] * 255).round().tolist() == [1, 2]


def test_both_spellings_of_labels_are_accepted(store, data):
    """And renaming a file changes no content."""
    before = ingested(store, data)
    (data / "train_lables.csv").rename(data / "train_labels.csv")

    assert ingested(store, data) == before


def set_cell(row, column, value):
    def change(rows):
        cells = rows[row - 1].split(",")
        cells[column - 1 : column] = [] if value is None else [value]
        return [*rows[: row - 1], ",".join(cells), *rows[row:]]

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("test_data.csv", set_cell(7, 5, "abc"), r"row 7, column 5: .*number, got 'abc'"),
        ("test_data.csv", set_cell(20, 64, "256"), r"row 20, column 64: .* got 256\."),
        ("test_data.csv", set_cell(1, 1, "-1"), r"row 1, column 1: .* got -1\."),
        ("test_data.csv", set_cell(2, 3, ""), r"row 2, column 3: .* got nothing"),
        ("test_data.csv", set_cell(2, 3, '""65'), r"row 2, column 3: .* '\"\"65'"),
        ("test_data.csv", set_cell(2, 3, '"65'), r"row 2, column 3: .* '\"65'"),
        ("test_data.csv", set_cell(2, 3, "0256"), r"row 2, column 3: .* got 256"),
        ("test_data.csv", set_cell(2, 3, "65\u00a0\u00e9"), r"row 2, column 3: .* '65\\xa0\u00e9'"),
        ("test_data.csv", lambda rows: ['a,"b', *set_cell(7, 5, "x")(rows)],
         r"row 8, column 5: .* got 'x'"),
        ("test_data.csv", set_cell(2, 3, "nan"), r"row 2, column 3: .* 'nan'"),
        ("test_data.csv", set_cell(2, 3, "0x10"), r"row 2, column 3: .* '0x10'"),
        ("test_data.csv", set_cell(2, 3, '"1"2'), r"row 2, column 3: .* '\"1\"2'"),
        ("test_data.csv", set_cell(2, 3, "1 2"), r"row 2, column 3: .* '1 2'"),
        ("test_data.csv", set_cell(2, 3, "9" * 5000), r"row 2, column 3: .* '999"),
        ("test_data.csv", set_cell(3, 1, "\ufeff7"), r"row 3, column 1: .*expected a number"),
        ("test_data.csv", lambda rows: rows[:1], r"test_labels.csv, row 2, "
         "column 1: one label too many"),
        ("test_data.csv", set_cell(9, 64, None), r"row 9, column 64: .* ends after 63 of 64"),
        ("test_data.csv", set_cell(9, 64, "1,2"), r"row 9, column 65: .*has 65 values"),
        ("test_data.csv", lambda rows: [",".join(["1"] * 144)] * 20,
         r"144 values.*--image.height 12"),
        ("test_data.csv", lambda rows: ["<!DOCTYPE html>", "<p>"], r"web page"),
        ("test_data.csv", lambda rows: rows[:-1], r"test_labels.csv, row 20, column 1: one label "
         "too many"),
        ("test_labels.csv", lambda rows: [*rows, "3"], r"row 21, column 1: one label too many.*"
         "20 images.*21 labels"),
        ("test_labels.csv", lambda rows: ["0", *rows], r"row 21, .* header .*header=False"),
        ("test_labels.csv", lambda rows: ["", *rows, "", "3"], r"row 22, column 1: .*missing"),
        ("test_labels.csv", lambda rows: rows[:-2], r"test_data.csv, row 19, column 1: one image "
         "too many"),
        ("test_labels.csv", set_cell(4, 1, "0.5"), r"row 4, column 1: .* '0.5'"),
        ("test_labels.csv", set_cell(4, 1, "9" * 5000), r"row 4, column 1: .*999"),
        ("test_labels.csv", set_cell(4, 1, "3,4"), r"row 4, column 1: .* '3,4'"),
        ("test_labels.csv", set_cell(4, 1, "B"), r"row 4, column 1: .* got 'B'"),
        ("test_labels.csv", set_cell(4, 1, ""), r"row 4, column 1: .*missing"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_by_file_row_and_column(store, data, name, change, message):
    """The message is enough to find and fix it, and nothing is published."""
    rewrite(data / name, change(lines(data / name)))

    with pytest.raises(DataError, match=rf"(?s){name if 'csv,' not in message else ''}.*{message}"):
        ingested(store, data)
    assert not (store.root / "ingest").exists()
    assert list((store.root / "tmp").iterdir()) == []


def test_line_ends_of_old_systems_are_read(store, data):
    """A lone carriage return ends each line."""
    before = ingested(store, data)["test.parquet"].sha256
    path = data / "test_data.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))

    assert ingested(store, data)["test.parquet"].sha256 == before


@pytest.mark.parametrize("label", ["3.0", "-2", "4294967296", "03"])
def test_labels_of_any_number_are_classes(store, data, label):
    """Whole numbers in other words are the same; what no uint32 holds is a class of that name."""
    rewrite(data / "test_labels.csv", set_cell(4, 1, label)(lines(data / "test_labels.csv")))
    artifact = ingested(store, data)
    table = read_image_table(artifact["test.parquet"].path)
    [(_, labels)] = table.batches(100)

    names = [str(one) if table.classes is None else table.classes[one] for one in labels.tolist()]
    assert names == ["0", "1", "2", label.removesuffix(".0").lstrip("0"), "4", *(
        str(i % 10) for i in range(5, 20))]  # fmt: skip


def test_a_value_that_is_not_whole_is_rounded_and_warned_of(store, data):
    """Among bytes it may be a mistake, but what else it could mean nobody can say."""
    rewrite(data / "test_data.csv", set_cell(2, 3, "0.5")(lines(data / "test_data.csv")))
    found = json.loads(ingested(store, data)["inspection.json"].path.read_bytes())

    assert [one["code"] for one in found["warnings"]] == ["rounded"]
    assert found["range"]["largest rounding error"] == 0.5


@pytest.mark.parametrize(
    ("content", "row"), [(b"", 1), (b"\n", 1), (b"\r\n\n", 1), (b"a,b,c\n", 1)]
)
def test_a_file_without_rows_is_refused(store, data, content, row):
    """An empty file of labels is none, nor is a line of column names."""
    (data / "test_labels.csv").write_bytes(content)

    with pytest.raises(DataError, match=rf"test_labels\.csv, row {row}, column \d: (?!.*header)"):
        ingested(store, data)


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("test_data.csv", content)
    return file.getvalue()


@pytest.mark.parametrize(
    "encode",
    [zipped, bz2.compress, lzma.compress, lambda content: gzip.compress(gzip.compress(content))],
    ids=["zip", "bzip2", "xz", "gzip in gzip"],
)
def test_compressed_files_are_read_whatever_they_are_called(store, data, encode):
    """By their content."""
    before = ingested(store, data)["test.parquet"].sha256
    path = data / "test_data.csv"
    path.write_bytes(encode(path.read_bytes()))

    assert ingested(store, data)["test.parquet"].sha256 == before


def test_a_truncated_archive_is_refused(store, data):
    """Half a download decompresses well, up to its end."""
    path = data / "train_data.csv.gz"
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(DataError, match=r"train_data\.csv\.gz: .*cut short or damaged"):
        ingested(store, data)


def test_all_that_is_missing_is_named_at_once(data):
    """With what is there, so that a wrong name is seen."""
    (data / "train_data.csv.gz").rename(data / "images.bin")
    (data / "test_data.csv").unlink()

    with pytest.raises(DataError, match=r"train images and test images are missing; there are .*"
                       r"images\.bin, test_labels\.csv, train_lables\.csv"):  # fmt: skip
        find_files(data)


def test_two_files_for_one_role_are_refused(data):
    """To take one of them silently would be a guess."""
    (data / "train_data.csv").write_text("1,2\n")

    with pytest.raises(DataError, match=r"train_data\.csv and train_data\.csv\.gz"):
        find_files(data)


def test_a_missing_folder_is_named(tmp_path):
    """With the option that names it."""
    with pytest.raises(DataError, match="--data"):
        find_files(tmp_path / "nowhere")


def test_a_file_of_many_blocks_is_read_whole(store, data, monkeypatch):
    """Blocks of the file and parts of the table end anywhere; dialects may change on the way."""
    monkeypatch.setattr("tasks.formats.image_table.GROUP", 1 << 18)
    rows = lines(data / "test_data.csv") * 1700  # 34,000 rows, some 6 MB
    expected = np.loadtxt(rows, delimiter=",", dtype=np.uint8)
    rows[20_000] = '"' + rows[20_000].replace(",", '","') + '"'
    rows[30_000] = "\n" + rows[30_000].replace(",", " ,") + "\r"
    rewrite(data / "test_data.csv", rows)
    rewrite(data / "test_labels.csv", [str(index) for index in range(len(rows))])
    artifact = ingested(store, data)
    table = pq.read_table(artifact["test.parquet"].path)
    stored = np.frombuffer(b"".join(table["pixels"].to_pylist()), np.uint8)

    assert np.array_equal(stored.reshape(-1, SIDE * SIDE), expected)
    assert table["label"].to_pylist() == list(range(len(rows)))


def test_an_error_far_behind_is_named_by_its_place_in_the_file(store, data):
    """Not by its place in a block."""
    rows = lines(data / "test_data.csv") * 1700
    rows[29_998] = rows[29_998].replace(",", ",x", 1)
    rewrite(data / "test_data.csv", rows)

    with pytest.raises(DataError, match=r"test_data\.csv, row 29999, column 2: .*got 'x"):
        ingested(store, data)
