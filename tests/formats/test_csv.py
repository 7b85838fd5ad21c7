"""Tables of images as text: every form in which they circulate is read, with the right pixels."""

import gzip
import io
import re

import numpy as np
import pandas as pd
import pytest

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.formats.csv import read_csv
from tasks.formats.errors import DataError

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (20, 64))
PIXELS[:, :7] = PIXELS[:, -7:] = 0  # a border, as images have
LABELS = np.arange(20) % 4
NAMES = [f"pixel{at}" for at in range(64)]


def opened(path, image=None, **reading):
    return read_csv(path, ReadingSettings(**reading), ImageSettings(**(image or {})))


def read(path, size=7, **options):
    """Return all pixels and all labels of a file."""
    parts = list(opened(path, **options).parts(size))
    labels = None if parts[0].labels is None else np.concatenate([part.labels for part in parts])
    return np.concatenate([part.pixels for part in parts]), labels


def rows(values=PIXELS, separator=",", form="{}"):
    return [separator.join(form.format(value) for value in row) for row in values.tolist()]


def written(path, lines, end="\n"):
    path.write_text(end.join(lines) + end, newline="")
    return path


def frame(**options):
    """Write with pandas."""
    file = io.StringIO()
    pd.DataFrame(PIXELS).to_csv(file, **options)
    return file.getvalue().splitlines()


def eaten(reader_header=0):
    """Return what pandas makes of a file whose first image it took for column names."""
    file = io.StringIO()
    pd.read_csv(io.StringIO("\n".join(rows())), header=reader_header).to_csv(file, index=False)
    return file.getvalue().splitlines()


def in_one_cell(form="{}", before="", behind="", separator=" "):
    cells = [form.format(separator.join(map(str, row))) for row in PIXELS.tolist()]
    return [before + cell + behind for cell in cells]


def numpys(row):
    return np.array2string(np.array(row), threshold=10_000)


FORMS = {
    "plain": rows(),
    "semicolons": rows(separator=";"),
    "tabs": rows(separator="\t"),
    "pipes": rows(separator="|"),
    "blanks": rows(separator=" "),
    "padded to equal width": ["".join(f"{value:5d}" for value in row) for row in PIXELS.tolist()],
    "comma and blank": rows(separator=", "),
    "quotes": rows(form='"{}"'),
    "quotes and tabs": rows(form='"{}"', separator="\t"),
    "some quotes": [row.replace(",0,", ',"0",') for row in rows()],
    "floats": rows(form="{}.0"),
    "floats with exponents": rows(form="{:.18e}"),
    "decimal commas": rows(separator=";", form="{},0"),
    "decimal commas and blanks": rows(separator=" ", form="{},00"),
    "hexadecimal": rows(form="{:#x}"),
    "leading zeros": rows(form="{:06d}"),
    "plus signs": rows(form="+{}"),
    "separator behind every row": rows(form="{},", separator=""),
    "semicolon behind every row": rows(form="{};", separator=""),
    "empty columns behind every row, as of a sheet": [row + ",,," for row in rows()],
    "names": [",".join(NAMES), *rows()],
    "names in quotes": [",".join(f'"{name}"' for name in NAMES), *rows()],
    "names of rows and columns": [
        ",".join(f"{at // 8 + 1}x{at % 8 + 1}" for at in range(64)), *rows()
    ],
    "another number of names": ['"pixel 0, 1","pixel 0, 2"', *rows()],
    "a quote in a name": ['pixel,"unclosed', *rows()],
    "comments": ["# drawn by a program", "% 64 columns", "", *rows()],
    "Excel's first line": ["sep=;", *rows(separator=";")],
    "byte order mark": ["\ufeff" + rows()[0], *rows()[1:]],
    "empty lines": ["", *rows()[:5], "", *rows()[5:], "", "  "],
    "pandas, its header": frame(index=False),
    "pandas, its header and index": frame(),
    "pandas, its index": frame(header=False),
    "pandas, index read once more": [",Unnamed: 0," + ",".join(NAMES)] + [
        f"{at},{at}," + row for at, row in enumerate(rows())
    ],
    "column numbers from 1": [",".join(map(str, range(1, 65))), *rows()],
    "image made a header by pandas": eaten(),
    "image made a header by R": [
        ",".join(f"X{name}" for name in eaten()[0].split(",")), *eaten()[1:]
    ],
    "R, row names": [",".join(f'"V{at}"' for at in range(1, 65))] + [
        f'"{at}",' + row for at, row in enumerate(rows(), 1)
    ],
    "names of files": [f"img_{at}.png," + row for at, row in enumerate(rows())],
    "one cell": ["pixels", *in_one_cell('"{}"')],
    "one cell with commas": ["pixels", *in_one_cell('"{}"', separator=",")],
    "one cell with semicolons": ["pixels", *in_one_cell('"{}"', separator=";")],
    "one cell, a Python list": ["pixels", *in_one_cell('"[{}]"', separator=", ")],
    "one cell, NumPy's print on several lines": [
        "pixels", *(f'"{numpys(row)}"' for row in PIXELS.tolist())
    ],
    "transposed, with names": [
        f"pixel{at}," + ",".join(map(str, column)) for at, column in enumerate(PIXELS.T.tolist())
    ],
}  # fmt: skip
LABELLED = {
    "first": ("{},", ""),
    "last": ("", ",{}"),
    "first, as a float": ("{}.0,", ""),
    "first, in quotes": ('"{}",', ""),
    "last, in quotes": ("", ',"{}"'),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("lines", FORMS.values(), ids=FORMS)
def test_every_form_is_read_to_the_same_pixels(tmp_path, lines, end):
    """Bit for bit those of the plain form, whatever the line ends."""
    pixels, labels = read(written(tmp_path / "data.csv", lines, end))

    assert np.array_equal(pixels, PIXELS)
    assert labels is None


@pytest.mark.parametrize("form", ["floats", "decimal commas", "hexadecimal", "plain", "one cell"])
def test_whole_bytes_arrive_as_bytes(tmp_path, form):
    """However they are written."""
    pixels, _ = read(written(tmp_path / "data.csv", FORMS[form]))

    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas_in_the_middle_of_an_image_are_found(tmp_path, separator):
    """Its edge is black, where nobody writes a comma, in every row that is looked at."""
    values = np.zeros((40, 30, 30))
    values[:, 5:-5, 5:-5] = RNG.integers(0, 256, (40, 20, 20)) / 255
    lines = [line.replace(".", ",") for line in rows(values.reshape(40, 900), separator, "{:g}")]
    pixels, _ = read(written(tmp_path / "data.csv", lines))

    assert np.allclose(pixels, values.reshape(40, 900), atol=1e-6)


@pytest.mark.parametrize("words", [False, True], ids=["numbers", "words"])
@pytest.mark.parametrize("header", [False, True], ids=["no header", "header"])
@pytest.mark.parametrize(("before", "behind"), LABELLED.values(), ids=LABELLED)
def test_a_label_column_is_found(tmp_path, before, behind, header, words):
    """By its name, by 65 = 1 + 8 x 8 and its values, or because it holds words."""
    labels = [f"class {chr(65 + label)}" if words else str(label) for label in LABELS]
    if words:
        before, behind = before.replace(".0", ""), behind.replace(".0", "")
    lines = [before.format(one) + row + behind.format(one)
             for one, row in zip(labels, rows(), strict=True)]  # fmt: skip
    if header:
        names = ["label", *NAMES] if before else [*NAMES, "class"]
        lines.insert(0, ",".join(names))
    file = opened(written(tmp_path / "data.csv", lines))
    pixels, found = read(tmp_path / "data.csv")

    assert np.array_equal(pixels, PIXELS)
    assert found.tolist() == (labels if words else LABELS.tolist())
    assert file.labelled
    assert any(what.startswith("label in column") for what, _, _ in file.decisions)


@pytest.mark.parametrize("name", ["annotation", "0", "digit_class"])
@pytest.mark.parametrize("place", [0, 64])
def test_a_label_with_a_name_that_nobody_knows_is_found(tmp_path, name, place):
    """Beside pixels whose names are numbered; 0 is what pandas calls a column that has no name."""
    table = pd.DataFrame(PIXELS, columns=NAMES)
    table.insert(place, name, LABELS)
    table.to_csv(tmp_path / "data.csv", index=False)
    pixels, labels = read(tmp_path / "data.csv")

    assert np.array_equal(pixels, PIXELS)
    assert np.array_equal(labels, LABELS)


ORDERS = {
    "sorted as words": sorted(NAMES),
    "backwards": NAMES[::-1],
    "mixed": [NAMES[at] for at in np.random.default_rng(0).permutation(64)],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_pixels_are_brought_to_the_order_of_their_names(tmp_path, order):
    """Train and test may have them in different ones; errors name the column in the file."""
    table = pd.DataFrame(PIXELS, columns=NAMES)[order]
    table.insert(0, "label", LABELS)
    table.to_csv(tmp_path / "data.csv", index=False)
    file = opened(tmp_path / "data.csv")
    pixels, labels = read(tmp_path / "data.csv")

    assert np.array_equal(pixels, PIXELS)
    assert np.array_equal(labels, LABELS)
    assert file.decisions[-1][0] == "pixels in the order of their names"
    assert file.place(2, 10) == f"row 4, column {order.index('pixel10') + 2}"


@pytest.mark.parametrize(
    "names",
    [
        [f"{row}x{column}" for row in range(1, 9) for column in range(1, 9)],
        [f"{row}x{column}" for column in range(1, 9) for row in range(1, 9)],
        [f"V{3 * (at * 7 % 64)}" for at in range(64)],
        [f"{letter}{at}" for at in range(32) for letter in "xy"],
    ],
    ids=["rows", "columns", "numbers with gaps", "several letters"],
)
def test_names_that_say_no_order_change_none(tmp_path, names):
    """Some number down the columns, and some count something else."""
    pd.DataFrame(PIXELS, columns=names).to_csv(tmp_path / "data.csv", index=False)

    assert np.array_equal(read(tmp_path / "data.csv")[0], PIXELS)


@pytest.mark.parametrize("names", ["row{0}_col{1}", "r{0}c{1}", "x{1}_y{0}", "col{1}.row{0}"])
def test_names_that_say_row_and_column_are_taken_at_their_word(tmp_path, names):
    """Also where all pixels of a column stand side by side, as other languages store arrays."""
    every = [names.format(at // 8, at % 8) for at in range(64)]
    by_column = [every[8 * (at % 8) + at // 8] for at in range(64)]
    pd.DataFrame(PIXELS, columns=every)[by_column].to_csv(tmp_path / "data.csv", index=False)

    assert np.array_equal(read(tmp_path / "data.csv")[0], PIXELS)


def test_colours_whose_names_were_sorted_are_brought_in_order(tmp_path):
    """Red, green and blue of each pixel; as they stand in order, all of a colour may come first."""
    pixels = RNG.integers(0, 256, (20, 48))
    names = [f"{colour}{at}" for at in range(16) for colour in "rgb"]
    table = pd.DataFrame(pixels, columns=names)
    table[sorted(names)].to_csv(tmp_path / "sorted.csv", index=False)
    planes = sorted(names, key=lambda name: "rgb".index(name[0]))
    table[planes].to_csv(tmp_path / "planes.csv", index=False)

    assert np.array_equal(read(tmp_path / "sorted.csv")[0], pixels)
    assert np.array_equal(read(tmp_path / "planes.csv")[0], table[planes])

    bgr = [f"{colour}{at}" for at in range(16) for colour in "bgr"]  # as OpenCV has them
    table[bgr].to_csv(tmp_path / "bgr.csv", index=False)
    assert np.array_equal(read(tmp_path / "bgr.csv")[0], pixels)


def test_a_header_of_numbers_that_were_sorted_is_one(tmp_path):
    """0, 1, 10, 11, …: no image has just these values."""
    table = pd.DataFrame(PIXELS).rename(columns=str)
    table[sorted(table)].to_csv(tmp_path / "data.csv", index=False)

    assert np.array_equal(read(tmp_path / "data.csv")[0], PIXELS)


def test_a_label_behind_row_numbers_is_found(tmp_path):
    """66 = 2 + 8 x 8."""
    lines = [f"{at},{label}," + row
             for at, (label, row) in enumerate(zip(LABELS, rows(), strict=True))]  # fmt: skip
    pixels, labels = read(written(tmp_path / "data.csv", lines))

    assert np.array_equal(pixels, PIXELS)
    assert np.array_equal(labels, LABELS)


def test_a_label_that_is_the_same_in_all_the_first_rows_is_found(tmp_path):
    """Files are often sorted by class; then the whole file says which end is the label."""
    labels = np.repeat(np.arange(2), 2000)
    lines = [f"{row},{label}" for row, label in zip(rows() * 200, labels, strict=True)]
    path = written(tmp_path / "data.csv", lines)
    pixels, found = read(path)

    assert np.array_equal(pixels, np.tile(PIXELS, (200, 1)))
    assert np.array_equal(found, labels)
    assert any("reading all rows" in why for _, why, _ in opened(path).decisions)


def test_one_hot_labels_behind_the_pixels_are_found(tmp_path):
    """As in semeion: 266 = 256 + 10, of which exactly one is 1; floats, blanks, one at the end."""
    pixels = RNG.integers(0, 2, (30, 256))
    classes = np.arange(30) % 10
    onehot = np.eye(10, dtype=int)[classes]
    lines = [
        " ".join(f"{value:.4f}" for value in image) + " " + " ".join(map(str, one)) + " "
        for image, one in zip(pixels, onehot, strict=True)
    ]
    found, labels = read(written(tmp_path / "semeion.data", lines))

    assert np.array_equal(found, pixels)
    assert np.array_equal(labels, classes)


@pytest.mark.parametrize("header", [True, False])
def test_one_hot_labels_may_be_true_and_false_but_not_in_front(tmp_path, header):
    """As get_dummies of pandas writes them; the step that moves the columns works."""
    classes = pd.get_dummies(pd.Series(LABELS % 4), prefix="class")
    images = pd.DataFrame(PIXELS, columns=NAMES)
    path = tmp_path / "data.csv"
    pd.concat([images, classes], axis=1).to_csv(path, index=False, header=header)
    pixels, labels = read(path)
    assert np.array_equal(pixels, PIXELS)
    assert np.array_equal(labels, LABELS % 4)

    frame = pd.concat([classes.astype(int), images], axis=1)
    frame.to_csv(path, index=False, header=header)
    with pytest.raises(DataError, match="the first 4 columns hold exactly one 1") as caught:
        opened(path)
    step = re.search(r"frame\[\[.*?\]\]\]", caught.value.advice)[0]
    eval(step).to_csv(path, index=False, header=header)
    assert np.array_equal(read(path)[1], LABELS % 4)


def test_faces_as_fer2013_spreads_them_are_read(tmp_path):
    """The label by its name, the pixels in one cell without quotes; Usage is left out aloud."""
    lines = ["emotion,pixels,Usage"] + [
        f"{label},{' '.join(map(str, row))},{'Training' if label else 'PublicTest'}"
        for label, row in zip(LABELS, PIXELS.tolist(), strict=True)
    ]
    file = opened(written(tmp_path / "fer2013.csv", lines))
    pixels, labels = read(tmp_path / "fer2013.csv")

    assert np.array_equal(pixels, PIXELS)
    assert np.array_equal(labels, LABELS)
    assert "usage" in file.warnings[0].lower()


@pytest.mark.parametrize(
    ("between", "separator"),
    [(",", " "), (",", ";"), (",", "|"), ("\t", " "), ("\t", ";"), ("\t", "|"), ("\t", ",")],
)
@pytest.mark.parametrize("header", [True, False], ids=["header", "no header"])
def test_a_label_before_all_pixels_in_one_cell_is_found(tmp_path, between, separator, header):
    """A comma between them is no decimal one, though it is the only one of its row."""
    lines = in_one_cell(separator=separator)
    lines = [f"{label}{between}{line}" for label, line in zip(LABELS, lines, strict=True)]
    above = [f"label{between}image"] if header else []
    pixels, labels = read(written(tmp_path / "data.csv", above + lines))

    assert np.array_equal(pixels, PIXELS)
    assert np.array_equal(labels, LABELS)


def test_row_numbers_are_no_pixels_whatever_shape_they_complete(tmp_path):
    """363 = 11 x 11 x 3 = 2 + 19 x 19; no pixel counts through many images."""
    pixels = RNG.integers(0, 256, (200, 361))
    lines = [",".join(map(str, [at, at % 7 + 1, *row])) for at, row in enumerate(pixels.tolist())]
    found, labels = read(written(tmp_path / "data.csv", lines))

    assert np.array_equal(found, pixels)
    assert labels.tolist() == [at % 7 + 1 for at in range(200)]


def test_labels_far_above_255_stay_exact(tmp_path):
    """They are no pixels."""
    lines = [f"{10**12 + label}," + row for label, row in zip(LABELS, rows(), strict=True)]
    _, labels = read(written(tmp_path / "data.csv", ["label," + ",".join(NAMES), *lines]))

    assert labels.tolist() == [10**12 + label for label in LABELS.tolist()]


@pytest.mark.parametrize("scale", [lambda x: x / 255 - 0.5, lambda x: x * 257, lambda x: x / 1e9])
def test_other_numbers_arrive_as_they_are(tmp_path, scale):
    """To the last bit, negative ones and large ones too."""
    values = scale(PIXELS)
    pixels, _ = read(written(tmp_path / "data.csv", rows(values, form="{!r}")))

    assert np.array_equal(pixels, values)


def test_a_float_far_behind_changes_nothing_before_it(tmp_path):
    """Bytes stay bytes up to its part; after it all is float."""
    lines = rows() * 500
    lines[7_654] = lines[7_654].replace(",0,", ",0.25,", 1)
    parts = list(opened(written(tmp_path / "data.csv", lines)).parts(1000))
    pixels = np.concatenate([part.pixels.astype(float) for part in parts])

    assert parts[0].pixels.dtype == np.uint8
    assert parts[-1].pixels.dtype == np.float64
    assert (pixels != np.tile(PIXELS, (500, 1))).sum() == 1
    assert 0.25 in pixels[7_654]


def test_parts_have_the_asked_size_and_can_be_read_again(tmp_path):
    """All but the last one."""
    file = opened(written(tmp_path / "data.csv", rows()))
    sizes = [[len(part.pixels) for part in file.parts(6)] for _ in range(2)]

    assert sizes == [[6, 6, 6, 2]] * 2


def test_a_table_may_stand_on_end(tmp_path):
    """By setting; read group by group where it is large."""
    path = written(tmp_path / "data.csv", rows(PIXELS.T))
    pixels, _ = read(path, rows="pixels")

    assert np.array_equal(pixels, PIXELS)
    assert opened(path, rows="pixels").place(3, 5) == "row 6, column 4"


def test_column_names_may_say_the_shape(tmp_path):
    """1x1 to 4x16: four rows of sixteen."""
    names = [f"{at // 16 + 1}x{at % 16 + 1}" for at in range(64)]
    file = opened(written(tmp_path / "data.csv", [",".join(names), *rows()]))

    assert file.shape == (4, 16, 1)


def test_the_place_of_a_value_is_that_in_the_file(tmp_path):
    """Header, empty lines and label column included."""
    lines = [f"{label}," + row for label, row in zip(LABELS, rows(), strict=True)]
    file = opened(written(tmp_path / "data.csv", ["label," + ",".join(NAMES), "", *lines]))

    assert file.place(2, 4) == "row 5, column 6"


@pytest.mark.parametrize("image", [{}, {"height": 1024, "width": 1024}])
def test_images_need_not_be_small(tmp_path, image):
    """A million values in a row behind a label, compressed."""
    lines = [f"{value}," + ",".join([str(value)] * 2**20) for value in (1, 2)]
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["label,x1,x2", *lines]).encode(), 1))
    pixels, labels = read(path, image=image, label="first")

    assert labels.tolist() == [1, 2]
    assert pixels.shape == (2, 2**20)
    assert pixels[:, -1].tolist() == [1, 2]
