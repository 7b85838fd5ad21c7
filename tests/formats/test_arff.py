"""ARFF files as Weka and OpenML write them; SciPy's reader is the measure."""

import gzip

import numpy as np
import pytest
from scipy.io import arff as scipy_arff

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.formats.arff import is_arff, read_arff
from tasks.formats.errors import DataError
from tests.formats.support import pixels_of

ROWS = np.random.default_rng(0).integers(0, 256, (20, 64))
LABELS = np.arange(20) % 4


def written(rows=ROWS, labels=LABELS, kind="numeric", word=str, first=False, header=()):
    """Return a file as OpenML has it."""
    classes = ",".join(word(label) for label in sorted(set(labels)))
    pixels = [f"@ATTRIBUTE pixel{n} {kind}" for n in range(rows.shape[1])]
    label = f"@ATTRIBUTE class {{{classes}}}"
    lines = ["% drawn at random", "", *header, "@RELATION 'some images'", "",
             *([label, *pixels] if first else [*pixels, label]), "", "@DATA"]  # fmt: skip
    for row, label in zip(rows.tolist(), labels, strict=True):
        cells = [*map(str, row), word(label)]
        lines.append(",".join(cells[-1:] + cells[:-1] if first else cells))
    return "\n".join(lines) + "\n"


@pytest.fixture
def path(tmp_path):
    """A file whose name says nothing."""
    return tmp_path / "file"


def read(path, **reading):
    """Open a file with these settings."""
    return read_arff(path, ReadingSettings(**reading), ImageSettings())


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("kind", ["numeric", "REAL", "Integer", "real [0,255]"])
@pytest.mark.parametrize("word", [str, lambda label: f"'{label}'", lambda label: "abcd"[label]])
def test_images_and_labels_are_read(path, first, kind, word):
    """Words or numbers, quoted or not, the label first or last."""
    path.write_text(written(kind=kind, word=word, first=first))
    found = read(path)
    pixels, labels = pixels_of(found)

    assert (found.form, found.width, found.shape) == ("ARFF", 64, None)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, ROWS)
    expected = ["abcd"[label] for label in LABELS] if word(0) == "a" else LABELS.tolist()
    assert labels.tolist() == expected
    assert found.decisions[-1][0] == "labels in the column class"


@pytest.mark.parametrize("scale", [1 / 255, 1 / 3, 1e-9, 4096])
def test_real_numbers_are_what_another_reader_makes_of_them(path, scale):
    """To the last bit, also where they begin in the middle of a file."""
    rows = ROWS * scale
    path.write_text(written(rows))
    theirs, _ = scipy_arff.loadarff(path)
    pixels, _ = pixels_of(read(path))

    expected = np.array([list(row)[:-1] for row in theirs])
    assert np.array_equal(pixels, expected)


def test_bytes_that_turn_into_real_numbers_go_on_as_such(path, monkeypatch):
    """Far behind the first block; nothing before it is lost."""
    monkeypatch.setattr("tasks.formats.arff.BLOCK", 700)
    rows = ROWS.astype(float)
    rows[15, 3] = 0.5
    text = written(rows).replace(".0", "")
    path.write_text(text)
    pixels, labels = pixels_of(read(path))

    assert np.array_equal(pixels, rows)
    assert labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    "change",
    [lambda text: text.replace("\n", "\r\n"), lambda text: text.rstrip("\n"),
     lambda text: "\ufeff" + text, lambda text: text.replace("@DATA\n", "@data % here\n\n% x\n"),
     lambda text: text.replace(",", ", "), lambda text: text + "\n\n% the end\n",
     lambda text: text.replace("@ATTRIBUTE pixel0 ", "@attribute\t'pixel 0'\t"),
     lambda text: text.replace("@ATTRIBUTE pixel0 ", '@attribute "it\'s pixel 0" ')],
)  # fmt: skip
def test_dialects_have_the_same_images(path, change):
    """Line ends, blanks, comments, quoted names, a byte order mark."""
    path.write_bytes(change(written()).encode())
    pixels, labels = pixels_of(read(path))

    assert is_arff(path.read_bytes()[:1000])
    assert np.array_equal(pixels, ROWS)
    assert labels.tolist() == LABELS.tolist()


def test_a_compressed_file_is_read(path):
    """As they are spread."""
    path.write_bytes(gzip.compress(written().encode()))
    found = read(path)

    assert found.form == "ARFF, gzip"
    assert np.array_equal(pixels_of(found)[0], ROWS)


def test_settings_decide_about_the_label(path):
    """No label at all, or the first column."""
    path.write_text(written(labels=LABELS, kind="numeric").replace("{0,1,2,3}", "numeric"))

    assert read(path, label="none").width == 65
    assert np.array_equal(pixels_of(read(path, label="first"))[1], ROWS[:, 0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",7,", ",?,", r"row \d+, column \d+ \(pixel\d+\): expected a number, got '\?' \(a miss"),
        (",7,", ",x,", r"row \d+, column \d+ \(pixel\d+\): expected a number, got 'x'"),
        (",7,", ",,", r"row \d+, column \d+ \(pixel\d+\): expected a number, got ''"),
        (",7,", ",7,7,", r"row \d+: 66 values; expected 65"),
    ],
)
def test_the_first_wrong_row_is_named(path, old, new, message):
    """With its row in the file and its column; without it the others are read."""
    lines = written().splitlines()
    at = next(n for n, line in enumerate(lines) if old in line and "@" not in line)
    lines[at] = lines[at].replace(old, new, 1)
    path.write_text("\n".join(lines))

    with pytest.raises(DataError, match=message) as caught:
        pixels_of(read(path))
    assert f"row {at + 1}" in caught.value.problem
    path.write_text("\n".join(lines[:at] + lines[at + 1 :]))
    assert len(pixels_of(read(path))[0]) == 19


def test_the_place_of_a_value_is_its_row_in_the_file(path):
    """Header and comments counted."""
    text = written().replace("@DATA\n", "@DATA\n% comment\n")
    path.write_text(text)
    row = text.splitlines().index(",".join(map(str, [*ROWS[5], LABELS[5]]))) + 1

    assert read(path).place(5, 17) == f"row {row}, column 18 (pixel17)"


def test_a_missing_label_is_no_class(path):
    """Weka writes `?`; without labels the images are read."""
    text = written().splitlines()
    text[-3] = text[-3].rpartition(",")[0] + ",?"
    path.write_text("\n".join(text))

    with pytest.raises(DataError, match=f"row {len(text) - 2}, column class: .*'\\?'") as caught:
        pixels_of(read(path))
    assert "--reading.label none" in caught.value.advice
    assert np.array_equal(pixels_of(read(path, label="none"))[0], ROWS)


def test_sparse_rows_are_refused_in_words(path):
    """Weka itself makes dense rows of them."""
    text = written()
    path.write_text(text[: text.index("@DATA")] + "@DATA\n{0 17, 5 200, 64 2}\n")

    with pytest.raises(DataError, match="a sparse row") as caught:
        pixels_of(read(path))
    assert "SparseToNonSparse" in caught.value.advice


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@relation a\n@attribute x numeric\n", "header has no end"),
        ("@relation a\n@attribute x date\n@data\n", "holds date values"),
        ("@relation a\n@attribute x\n@data\n", "row 2: expected `@attribute NAME TYPE`"),
        ("@relation a\nx,y\n@data\n", "row 2: expected `@attribute NAME TYPE`"),
        ("@relation a\n@data\n1,2\n", "there are none"),
    ],
)
def test_a_header_that_fits_no_images_is_refused(path, text, message):
    """By its row."""
    path.write_text(text)

    with pytest.raises(DataError, match=message):
        read(path)


@pytest.mark.parametrize("beginning", [b"", b"1,2,3\n", b"% only a comment\n", b"@data\n", b"\xff"])
def test_other_files_are_not_taken_for_arff(beginning):
    """By their beginning."""
    assert not is_arff(beginning)
