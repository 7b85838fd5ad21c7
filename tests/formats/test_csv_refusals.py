"""What is wrong with a table of images is told with its place, and the advice leads on."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.formats import csv_text
from tasks.formats.csv import read_csv
from tasks.formats.errors import DataError
from tests.formats.test_csv import LABELS, PIXELS, eaten, read, rows, written

HEADER = ",".join(f"pixel{at}" for at in range(64))


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        read(path, **options)
    assert caught.value.advice
    assert str(path) in caught.value.problem
    return str(caught.value)


def cell(row, column, value):
    """Change one cell; both count from 1."""

    def change(lines):
        cells = lines[row - 1].split(",")
        cells[column - 1 : column] = [] if value is None else [value]
        return [*lines[: row - 1], ",".join(cells), *lines[row:]]

    return change


def without(*numbers):
    """Remove rows, which count from 1."""
    return lambda lines: [line for at, line in enumerate(lines, 1) if at not in numbers]


def set_to(row, column, value):
    return cell(row, column, str(value))


@pytest.mark.parametrize(
    ("change", "message", "follow", "left_out"),
    [
        (cell(7, 5, "abc"), r"row 7, column 5: .*got 'abc'.*remove the row", without(7), 6),
        (cell(2, 3, ""), r"row 2, column 3: .*got nothing.*remove the row", without(2), 1),
        (cell(2, 3, "nan"), r"row 2, column 3: .*'nan'.*missing value", without(2), 1),
        (cell(2, 3, "NA"), r"row 2, column 3: .*'NA'.*missing value", without(2), 1),
        (cell(2, 3, "inf"), r"row 2, column 3: .*'inf'", without(2), 1),
        (cell(2, 3, "1e999"), r"row 2, column 3: .*'1e999'", without(2), 1),
        (cell(2, 3, "0x0"), r"row 2, column 3: .*'0x0'.*Write it as 0\.", set_to(2, 3, 0), None),
        (cell(2, 3, "1_0"), r"row 2, column 3: .*'1_0'", without(2), 1),
        (cell(2, 3, "True"), r"row 2, column 3: .*'True'", without(2), 1),
        (cell(2, 3, '"65'), r"row 2, column 3: .*'\"65'.*quote", without(2), 1),
        (cell(2, 3, '"1"2'), r"row 2, column 3: .*'\"1\"2'", without(2), 1),
        (cell(2, 3, "1 2"), r"row 2, column 3: .*'1 2'", without(2), 1),
        (cell(2, 3, "1 000"), r"thousands.*Write it without: 1000\.", set_to(2, 3, 0), None),
        (cell(2, 3, '"1,000"'), r"thousands.*Write it without: 1000\.", without(2), 1),
        (cell(3, 1, "\ufeff7"), r"row 3, column 1: .*expected a number", without(3), 2),
        (cell(9, 64, None), r"row 9, column 64: .*ends after 63 of 64.*remove it", without(9), 8),
        (cell(9, 64, "1,2"), r"row 9, column 65: .*has 65 values, expected 64", without(9), 8),
        (cell(20, 60, None), r"row 20, column 64: .*last row.*cut short.*remove row 20",
         without(20), 19),
        (lambda lines: [*lines[:4], lines[4] + lines[5], *lines[6:]],
         r"row 5, column 65: .*two rows without a line break", without(5), (4, 5)),
        (lambda lines: [*lines[:4], lines[4].replace(",", ";"), *lines[5:]],
         r"row 5, .*separated by semicolons", lambda lines: [x.replace(";", ",") for x in lines],
         None),
        (lambda lines: [HEADER, *lines, HEADER, *lines],
         r"row 22, column 1: the header again.*Remove row 22", without(22), "twice"),
        (lambda lines: [*lines[:8], lines[8][:40] + "\0" * 50, *lines[9:]],
         r"row 9, byte 41 of the row: a zero byte", without(9), 8),
        (lambda lines: [*lines, "\0" * 4096], r"row 21, .*only zero bytes.*remove everything from "
         "that row", without(21), None),
    ],
)  # fmt: skip
def test_a_wrong_cell_or_row_is_named_and_the_advice_leads_to_the_right_pixels(
    tmp_path, change, message, follow, left_out
):
    """File, row and column from 1; who does what it says reads all other images unchanged."""
    lines = change(rows())
    path = written(tmp_path / "data.csv", lines)

    assert re.search(message, refusal(path), re.DOTALL)
    pixels, _ = read(written(path, follow(lines)))
    expected = PIXELS
    if left_out == "twice":
        expected = np.concatenate([PIXELS, PIXELS])
    elif left_out is not None:
        expected = np.delete(PIXELS, left_out, axis=0)
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("form", "wrong", "message"),
    [
        ("{:#x}", "12", r"row 3, column 1: expected a hexadecimal number.*got '12'"),
        ("{:.1f}", "0xe6", r"row 3, column 1: .*'0xe6'.*Write it as 230"),
    ],
)
def test_numbers_of_two_kinds_in_one_file_are_refused(tmp_path, form, wrong, message):
    """12 may be eighteen, or twelve."""
    lines = cell(3, 1, wrong)(rows(form=form))

    assert re.search(message, refusal(written(tmp_path / "data.csv", lines)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"9,766"', r"a thousands separator\? Write it without: 9766\."),
        ('"0,149"', r"a decimal comma\? Write it with a point, 0\.149, and all others"),
        ("'149'", r"in single quotes. Remove them from the file: sed -i \"s/'//g\" FILE"),
    ],
)
def test_a_number_in_the_dress_of_a_country_is_called_so(tmp_path, value, message):
    """What it seems to be decides what to do."""
    lines = cell(3, 1, value)(rows())

    assert re.search(message, refusal(written(tmp_path / "data.csv", lines)))


def test_a_comment_at_the_end_is_no_row_with_other_separators(tmp_path):
    """It is the last row, and removing it helps."""
    message = refusal(written(tmp_path / "data.csv", [*rows(), "# the end"]))

    assert "row 21, column 2: the row ends after 1 of 64 values. It is the last row" in message
    assert "remove row 21" in message


def test_points_among_decimal_commas_are_refused(tmp_path):
    """1.234 may be a thousand, or one and a bit."""
    lines = rows(separator=";", form="{},5")
    lines[4] = lines[4].replace(",5", ".5", 1)

    message = refusal(written(tmp_path / "data.csv", lines))
    assert "row 5, column 1: expected a number with a decimal comma" in message


def test_an_error_far_behind_is_named_by_its_place_in_the_file(tmp_path):
    """Not by its place in a block."""
    lines = cell(29_999, 2, "x1")(rows() * 1700)

    assert "row 29999, column 2: " in refusal(written(tmp_path / "data.csv", lines))


def test_a_label_at_one_of_both_ends_is_asked_for(tmp_path):
    """Noise at the other end looks like a label, too; each answer is taken."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 4, (20, 16))
    lines = [f"{label}," + row for label, row in zip(LABELS, rows(pixels), strict=True)]
    path = written(tmp_path / "data.csv", lines)

    assert "--reading.label first or --reading.label last" in refusal(path)
    assert np.array_equal(read(path, label="first")[1], LABELS)
    assert np.array_equal(read(path, label="first")[0], pixels)
    assert np.array_equal(read(path, label="last")[1], pixels[:, -1])


def test_pixels_that_are_missing_are_called_so(tmp_path):
    """As where those were left out that never change; no shape of 47 values would be right."""
    path = tmp_path / "data.csv"
    frame = pd.DataFrame(PIXELS, columns=[f"pixel{at}" for at in range(64)])
    some = frame.loc[:, (frame != 0).any()]
    some = some.drop(columns=["pixel20", "pixel30", "pixel40"])
    some.to_csv(path, index=False)

    assert "names number 50 of them, pixel7 to pixel56, and 47 are there" in refusal(path)

    some.reindex(columns=frame.columns, fill_value=0).to_csv(path, index=False)
    assert read(path)[0].shape == (20, 64)


@pytest.mark.parametrize("repeated", [["pixel9"], [f"pixel{at}" for at in range(64)]])
def test_columns_that_are_there_twice_are_named_and_the_advice_leaves_one(tmp_path, repeated):
    """As a join leaves them; no shape of 65 values would be right, and one of 128 is another."""
    path = tmp_path / "data.csv"
    frame = pd.DataFrame(PIXELS, columns=[f"pixel{at}" for at in range(64)])
    pd.concat([frame, frame[repeated]], axis=1).to_csv(path, index=False)

    message = refusal(path)
    assert f"2 columns are called {repeated[0]!r}" in message
    assert "frame.loc[:, ~frame.iloc[0].duplicated()]" in message

    again = pd.read_csv(path, header=None, dtype=str)
    again.loc[:, ~again.iloc[0].duplicated()].to_csv(path, index=False, header=False)
    assert np.array_equal(read(path)[0], PIXELS)


@pytest.mark.parametrize("header", [None, HEADER])
@pytest.mark.parametrize(("behind", "mark"), [("  # image {}", "#"), ("// {}", "/")])
def test_comments_behind_rows_are_named_and_the_advice_removes_them(tmp_path, header, behind, mark):
    """The last pixel must not be left out with them."""
    lines = [row + behind.format(number) for number, row in enumerate(rows())]
    path = written(tmp_path / "data.csv", [header, *lines] if header else lines)
    options = ({}, {}) if header else ({"header": None}, {"header": False})

    message = refusal(path)
    assert "column 64: expected a number, got " in message
    assert f"pd.read_csv(FILE, comment='{mark}'{'' if header else ', header=None'})" in message

    pd.read_csv(path, comment=mark, **options[0]).to_csv(path, index=False, **options[1])
    assert np.array_equal(read(path)[0], PIXELS)


@pytest.mark.parametrize("name", ["pixel", "pixel_intensity_"])
@pytest.mark.parametrize("label", ["auto", "first", "last", "none"])
def test_a_column_between_pixels_is_refused(tmp_path, label, name):
    """Whatever is set: the label would be a pixel, and a pixel the label. The step works."""
    path = tmp_path / "data.csv"
    frame = pd.DataFrame(PIXELS, columns=[f"{name}{at}" for at in range(64)])
    frame.insert(30, "label", LABELS)
    frame.to_csv(path, index=False)

    message = refusal(path, label=label)
    assert "row 1, column 31: the column 'label' stands between those of the pixels" in message

    exec(re.search(r"frame\.insert\(.*\)\)", message)[0])
    frame.to_csv(path, index=False)
    pixels, labels = read(path)

    assert np.array_equal(pixels, PIXELS)
    assert np.array_equal(labels, LABELS)


GRID = [[at // 8 for at in range(64)], [at % 8 for at in range(64)]]


@pytest.mark.parametrize(
    ("above", "left"),
    [
        ([[f"pixel{at}" for at in range(64)], range(64)], 1),
        ([["px"] * 64, [f"pixel{at}" for at in range(64)]], 1),
        (GRID, 0),
    ],
    ids=["names and numbers", "two lines of names", "rows and columns"],
)
def test_a_second_line_of_names_is_refused(tmp_path, above, left):
    """As pandas writes columns of several levels; each would be an image more."""
    lines = [",".join(map(str, names)) for names in above]
    path = written(tmp_path / "data.csv", [*lines, *rows()])

    assert re.search(
        r"row [12].*Expected at most one line above the images\. Remove", refusal(path)
    )
    assert np.array_equal(read(written(path, [*lines[:left], *rows()]))[0], PIXELS)


@pytest.mark.parametrize("place", [20, 5000])
def test_a_row_of_sums_is_no_image(tmp_path, place):
    """A word among row numbers, however far behind; without it the rest is read."""
    lines = [f"{7 * at}," + row for at, row in enumerate(rows() * 300)]
    sums = "All," + ",".join(["9000"] * 64)
    header = "," + ",".join(f"pixel{at}" for at in range(64))
    path = written(tmp_path / "data.csv", [header, *lines[:place], sums, *lines[place:]])

    assert f"row {place + 2}, column 1: expected the number of an image" in refusal(path)
    assert len(read(written(path, [header, *lines]))[0]) == 6000


def test_a_pixel_at_the_edge_that_looks_like_a_label_is_asked_about(tmp_path):
    """All images of one class, and dark edges: only a user knows that the label is the other."""
    down, across = np.mgrid[:12, :12]
    peaks = np.random.default_rng(0).uniform(3, 8, (60, 2, 1, 1))
    pixels = 255 * np.exp(-((down - peaks[:, 0]) ** 2 + (across - peaks[:, 1]) ** 2) / 8)
    pixels = pixels.astype(int).reshape(60, -1)
    assert len(np.unique(pixels[:, -1])) > 2
    assert pixels[:, -1].max() < 40
    path = written(tmp_path / "data.csv", [f"30,{row}" for row in rows(pixels)])

    assert "--reading.label first or --reading.label last" in refusal(path)
    assert np.array_equal(read(path, label="first")[0], pixels)


def test_settings_overrule_what_is_seen(tmp_path):
    """A header that counts, a label and row numbers can be pixels all the same."""
    counted = written(tmp_path / "counted.csv", [",".join(map(str, range(64))), *rows()])
    labelled = written(
        tmp_path / "labelled.csv", [f"{at}," + row for at, row in enumerate(rows())]
    )  # fmt: skip

    assert len(read(counted)[0]) == 20
    assert read(counted, header="no")[0][0].tolist() == list(range(64))
    assert read(labelled)[1] is None
    assert read(labelled, index="no")[1].tolist() == list(range(20))
    assert read(labelled, index="no", label="none")[0].shape == (20, 65)
    assert len(read(counted, header="yes")[0]) == 20


def test_row_numbers_that_stop_counting_are_refused(tmp_path):
    """A column that counts in the first rows may be something else; both answers are taken."""
    lines = [f"{at if at < 9_000 else 5}," + row for at, row in enumerate(rows() * 500)]
    path = written(tmp_path / "data.csv", lines)
    message = refusal(path)

    assert "row 9001, column 1: " in message
    assert "--reading.index yes" in message
    pixels, labels = read(path, index="yes")
    assert np.array_equal(pixels, np.tile(PIXELS, (500, 1)))
    assert labels is None
    assert read(path, index="no", label="first")[1][-1] == 5


@pytest.mark.parametrize("wrong", ["B", "2.5", ""])
def test_a_label_unlike_the_others_is_refused(tmp_path, wrong):
    """By row and column; without its row the rest is read."""
    lines = [f"{label}," + row for label, row in zip(LABELS, rows(), strict=True)]
    lines[6] = f"{wrong}," + rows()[6]
    path = written(tmp_path / "data.csv", lines)

    assert "row 7, column 1: expected a label" in refusal(path)
    assert read(written(path, without(7)(lines)))[1].tolist() == np.delete(LABELS, 6).tolist()


def test_an_image_made_a_header_that_cannot_be_recovered_is_refused(tmp_path):
    """Among floats 0.1 may be a value; the way out is to read without a header, or do without."""
    lines = eaten()
    lines[1:] = [line.replace(",0,", ",0.5,") for line in lines[1:]]
    path = written(tmp_path / "data.csv", lines)

    assert re.search(r"row 1, .*header=None", refusal(path))
    assert len(read(path, header="yes")[0]) == 19


def test_pixels_that_were_shortened_when_printed_are_lost(tmp_path):
    """NumPy prints `[0 0 ... 0 0]` of long arrays."""
    lines = ["pixels", *['"[0 12 13 ... 14 0 0]"'] * 20]

    assert "shortened" in refusal(written(tmp_path / "data.csv", lines))


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\n", b"# nothing\n", b"a,b,c\n"])
def test_a_file_without_rows_is_refused(tmp_path, content):
    """With or without a header."""
    path = tmp_path / "data.csv"
    path.write_bytes(content)

    assert re.search(r"row \d, column 1: (the file is empty|no values from here)", refusal(path))


@pytest.mark.parametrize("letter", ["1", "x", "\0", '"', "1,", " ", "1 "])
def test_a_line_without_an_end_is_refused(tmp_path, monkeypatch, letter):
    """No more of it is read than a row can take; but larger images may be announced."""
    monkeypatch.setattr(csv_text, "LONGEST", 1 << 18)
    path = written(tmp_path / "data.csv", rows())
    with path.open("a") as file:
        file.write(letter * (1 << 20))

    assert re.search(r"row 21\b", refusal(path))


def test_a_file_of_one_line_is_read_as_far_as_a_row_can_go(tmp_path):
    """A gigabyte of it in little memory; the option that allows more is named."""
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(b"1," * (1 << 24)))

    assert "--image.height, --image.width and --image.channels" in refusal(path)
    image = ImageSettings(height=4096, width=4096, channels=1)
    [part] = read_csv(path, ReadingSettings(), image).parts(1)
    assert part.pixels.shape == (1, 4096 * 4096)


def test_a_quote_that_never_closes_is_named_by_its_row(tmp_path):
    """Where quotes hold line ends, it would swallow the file."""
    printed = [f'"{str(row)[1:30]}\n{str(row)[30:-1]}"' for row in PIXELS.tolist()]
    lines = ["pixels", *printed[:9], printed[9][:-1], *printed[10:]]
    path = written(tmp_path / "data.csv", lines)

    assert re.search(r"row (19|20|21)\b", refusal(path))
