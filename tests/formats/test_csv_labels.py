"""Labels in a file of their own: numbers, words or one-hot, with or without a header."""

import re

import numpy as np
import pytest

from autoencoders.settings import ReadingSettings
from tasks.formats.csv_labels import csv_labels
from tasks.formats.errors import DataError

NUMBERS = [3, 0, 1, 2, 7, 7, 0, 9, 1, 4] * 3
WORDS = ["boot", "bag", "T-shirt/top", "ankle boot", "bag", "coat"] * 5
HOT = [",".join("1" if at == number else "0" for at in range(10)) for number in NUMBERS]


def labels(path, lines, count=None, end="\n", **reading):
    path = path / "labels.csv"
    path.write_text(end.join(map(str, lines)) + end, newline="")
    return csv_labels(path, ReadingSettings(**reading), count)


FORMS = {
    "plain": (NUMBERS, NUMBERS),
    "header": (["label", *NUMBERS], NUMBERS),
    "header in quotes": (['"x"', *NUMBERS], NUMBERS),
    "byte order mark": (["\ufeff3", *NUMBERS[1:]], NUMBERS),
    "floats": ([f"{one}.0" for one in NUMBERS], NUMBERS),
    "exponents": ([f"{one:.18e}" for one in NUMBERS], NUMBERS),
    "leading zeros": ([f"{one:05d}" for one in NUMBERS], NUMBERS),
    "many leading zeros": (["0" * 5000 + "3", *NUMBERS[1:]], NUMBERS),
    "quotes": ([f'"{one}"' for one in NUMBERS], NUMBERS),
    "blanks": ([f" {one}\t" for one in NUMBERS], NUMBERS),
    "a comma behind each": ([f"{one}," for one in NUMBERS], NUMBERS),
    "large": ([one + 2**31 for one in NUMBERS], [one + 2**31 for one in NUMBERS]),
    "empty lines at the end": ([*NUMBERS, "", ""], NUMBERS),
    "an empty line behind each": ([line for one in NUMBERS for line in (one, "")], NUMBERS),
    "comment": (["# digits", *NUMBERS], NUMBERS),
    "words": (WORDS, WORDS),
    "words in quotes": ([f'"{one}"' for one in WORDS], WORDS),
    "header and words": (["class", *WORDS], WORDS),
    "letters and digits": (["0", "A", "1", "B"] * 6, ["0", "A", "1", "B"] * 6),
    "row numbers": ([f"{at},{one}" for at, one in enumerate(NUMBERS)], NUMBERS),
    "pandas": ([",0", *(f"{at},{one}" for at, one in enumerate(NUMBERS))], NUMBERS),
    "R": (['"","x"', *(f'"{at}",{one}' for at, one in enumerate(NUMBERS, 1))], NUMBERS),
    "Kaggle": (["id,label", *(f"{at},{one}" for at, one in enumerate(WORDS, 1))], WORDS),
    "file names": ([f"img{at}.png,{one}" for at, one in enumerate(NUMBERS)], NUMBERS),
    "the same word before each": (
        [f"class {one}" for one in NUMBERS],
        [f"class {one}" for one in NUMBERS],
    ),
    "one-hot": (HOT, NUMBERS),
    "one-hot, floats": ([",".join(f"{one}.0" for one in row.split(",")) for row in HOT], NUMBERS),
    "one-hot, numbered": ([",".join(map(str, range(10))), *HOT], NUMBERS),
    "one-hot behind row numbers": ([f"{at},{row}" for at, row in enumerate(HOT)], NUMBERS),
    "one-hot, pandas's get_dummies": (
        ["a,b,c,d,e,f,g,h,i,j", *(row.replace("0", "False").replace("1", "True") for row in HOT)],
        NUMBERS,
    ),
    "True and False": ([one > 4 for one in NUMBERS], [one > 4 for one in NUMBERS]),
    "one-hot, blanks": ([row.replace(",", " ") for row in HOT], NUMBERS),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"], ids=["LF", "CRLF", "CR", "CRCRLF"])
@pytest.mark.parametrize(("lines", "expected"), FORMS.values(), ids=FORMS)
def test_every_form_is_read_to_the_same_labels(tmp_path, lines, expected, end):
    """Whole numbers, or text where they are words."""
    assert labels(tmp_path, lines, end=end).values.tolist() == expected


def test_the_number_of_images_decides_about_a_first_row_like_the_others(tmp_path):
    """A word or pandas's 0 above as many labels as images is a header, else a label."""
    once = ["hat", *WORDS]
    pandas = [0, *(one + 1 for one in NUMBERS)]

    assert labels(tmp_path, once, len(WORDS)).values.tolist() == WORDS
    assert labels(tmp_path, once, len(once)).values.tolist() == once
    assert labels(tmp_path, once).values.tolist() == once
    assert labels(tmp_path, pandas, len(NUMBERS)).values.tolist() == pandas[1:]
    assert labels(tmp_path, pandas, len(pandas)).values.tolist() == pandas
    assert labels(tmp_path, once, header="yes").values.tolist() == WORDS
    assert labels(tmp_path, ["class", *WORDS], header="no").values.tolist() == ["class", *WORDS]


@pytest.mark.parametrize("text", ["7", "7\n", "7\r\n", "\ufeff7", "a\n7", "a\r\n7\r"])
def test_the_smallest_files_are_read(tmp_path, text):
    """One label, with or without a header, a line end, a byte order mark."""
    path = tmp_path / "labels.csv"
    path.write_text(text, newline="")

    assert csv_labels(path, ReadingSettings()).values.tolist() == [7]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*NUMBERS[:3], "", *NUMBERS[3:]], r"row 4, column 1: .*a label is missing here"),
        (["label", *NUMBERS[:3], "", *NUMBERS[3:]], r"row 5, column 1: .*a label is missing"),
        ([*WORDS[:3], "", *WORDS[3:]], r"row 4, column 1: .*a label is missing here"),
        ([*NUMBERS[:3], "nan", *NUMBERS[3:]], r"row 4, column 1: .*'nan': a label is missing"),
        ([*WORDS[:3], "NaN", *WORDS[3:]], r"row 4, column 1: .*'NaN': a label is missing"),
        ([*WORDS[:3], "?", *WORDS[3:]], r"row 4, column 1: .*'\?': a label is missing"),
        ([*NUMBERS[:3], "B", *NUMBERS[3:]], r"row 4, column 1: .*got 'B'"),
        ([*NUMBERS[:3], "0.5", *NUMBERS[3:]], r"row 4, column 1: .*got '0.5'"),
        ([*NUMBERS[:3], "9" * 5000, *NUMBERS[3:]], r"row 4, column 1: .*got '999"),
        ([*NUMBERS[:3], "3,4", *NUMBERS[3:]], r"row 4, column 1: .*got '3,4'"),
        ([*HOT[:3], "0,0,1,0,0,0,1,0,0,0", *HOT[3:]], r"row 4, columns 1 to 10: .*2 times 1"),
        ([*NUMBERS[:3], "\0", *NUMBERS[3:]], r"row 4, byte 1 of the row: .*zero"),
        (["1,2,3"] * 9, r"column 2: expected one label per row, got 3 columns"),
        ([], r"empty"),
        (["label"], r"no labels"),
    ],
)
def test_a_missing_or_wrong_label_is_named_by_its_row(tmp_path, lines, message):
    """The images behind it would silently carry the label of the next one."""
    with pytest.raises(DataError) as caught:
        labels(tmp_path, lines)

    assert re.search(message, caught.value.problem)
    assert caught.value.advice


def test_the_place_of_a_label_is_that_in_the_file(tmp_path):
    """Header and comments included."""
    assert labels(tmp_path, ["# x", "label", *NUMBERS]).place(2) == "row 5, column 1"
    assert (
        labels(tmp_path, ["id,label", *(f"{at},{one}" for at, one in enumerate(WORDS))]).place(0)
        == "row 2, column 2"
    )


def test_random_labels_are_read_as_written(tmp_path):
    """A million of them, as numbers of any size."""
    values = np.random.default_rng(0).integers(0, 70_000, 100_000)

    assert np.array_equal(labels(tmp_path, values.tolist()).values, values)
