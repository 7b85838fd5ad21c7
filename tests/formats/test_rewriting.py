"""Files of images written again: other pixels, everything else as it was."""

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.find_files import find_files
from tasks.formats.drafts import replacing
from tasks.formats.errors import DataError
from tasks.formats.opening import open_images
from tasks.formats.rewriting import open_rewritable
from tests.forms import FORMS, SPLITS, csv, text

WRITTEN = [form for form in FORMS if "pixels" not in form.reading.values()
           and "ARFF" not in form.name and "PNG" not in form.name]  # fmt: skip


def rewritten(path: Path, change=lambda values: values, rows: int = 7, **reading) -> Path:
    """Write a file again beside it, with its values changed by a function; return where."""
    settings = ReadingSettings(**reading)
    file = open_rewritable(path, settings, ImageSettings())
    parts = {
        name: (change(part.pixels.astype(float)) for part in images.parts(rows))
        for name, images in file.sets.items()
    }
    target = path.parent / "again" / path.name
    with replacing(target) as draft:
        file.write(parts, step(file), draft)
    return target


def step(file) -> float:
    """Return the difference of values that must not be lost: of levels, or of shades of grey."""
    parts = [part.pixels for one in file.sets.values() for part in one.parts(10_000)]
    return 1 if all((np.rint(part) == part).all() for part in parts) else 0.001


def values(path: Path, **reading) -> tuple[np.ndarray, list[str] | None]:
    """Return all pixels and labels of a file."""
    pixels, labels = [], []
    for one in open_images(path, ReadingSettings(**reading), ImageSettings()).values():
        for part in one.parts(10_000):
            pixels.append(part.pixels.astype(float))
            labels += [] if part.labels is None else list(map(str, part.labels))
    return np.concatenate(pixels), labels


def tables(folder: Path, form) -> list[Path]:
    """Write a form; return its files of images."""
    found = find_files(form.write(folder))
    return [path for role, path in found.items() if role.endswith("data")]


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
def test_the_same_values_make_the_same_file(tmp_path, form):
    """Every byte of it, in every form; of a compressor of other make, of the content."""
    for path in tables(tmp_path, form):
        again = rewritten(path)

        if path.suffix in (".gz", ".zip", ".zst"):
            assert values(again)[0].tolist() == values(path)[0].tolist()
            assert again.read_bytes()[:2] == path.read_bytes()[:2]
        else:
            assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
def test_other_values_arrive_where_they_belong(tmp_path, form):
    """Each in its place, and the labels beside them as they were."""
    for path in tables(tmp_path, form):
        pixels, labels = values(path)

        found, beside = values(rewritten(path, lambda some: some[:, ::-1]))

        assert np.abs(found - pixels[:, ::-1]).max() < 1e-6
        assert beside == labels


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_columns_in_another_order_keep_it(tmp_path, ending):
    """They are read in the order of their names, and written where they stood."""
    names = sorted(f"pixel{at}" for at in range(64))
    table = pd.DataFrame(SPLITS["train"][0], columns=names)
    path = tmp_path / f"images.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    again = rewritten(path, lambda some: 255 - some)
    found = pd.read_csv(again) if ending == "csv" else pd.read_parquet(again)

    assert [*found.columns] == names
    assert np.array_equal(found, 255 - table)


def row(number: int, **options) -> str:
    """Return the pixels of an image of 16 values."""
    return text(SPLITS["train"][0][number : number + 1, :16], **options).strip()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            b"\xef\xbb\xbf# drawn\r\n\r\nname,label,"
            + b",".join(b"p%d" % i for i in range(16)) + b"\r\n"
            + b"".join(b'"x, y",%d,%b\r\n' % (i, row(i).encode()) for i in range(6)),
            id="a byte order mark, a comment, a header, names in quotes, CRLF",
        ),
        pytest.param(
            b"".join(b" %b  \n\n" % row(i, separator="   ").encode() for i in range(6)),
            id="blanks in any number, empty lines",
        ),
        pytest.param(
            b"\n".join(b"%d;%b;" % (i, row(i, separator=";").encode()) for i in range(6)),
            id="row numbers, a separator at the end, no last line end",
        ),
        pytest.param(
            b"".join(b'"%b"\r' % row(i, separator='","').encode() for i in range(6)),
            id="quotes, line ends of old",
        ),
        pytest.param(
            b"pixels,usage\n"
            + b"".join(b'"[%b\n]",Training\n' % row(i, separator=", ").encode() for i in range(6)),
            id="lists over several lines",
        ),
        pytest.param(
            b"".join(
                row(i, separator=";", cell=lambda one: f"0,{one:04}").encode() + b"\n"
                for i in range(6)
            ), id="decimal commas",
        ),
        pytest.param(
            b"".join(row(i, cell=lambda one: f"{one:.3e}").encode() + b"\n" for i in range(6)),
            id="exponents",
        ),
        pytest.param(
            b"".join(row(i, cell=lambda one: str(one > 99).upper()).encode() + b"\n"
                     for i in range(6)), id="TRUE and FALSE",
        ),
        pytest.param(
            b"".join(row(i, cell=lambda one: f"0x{one:02X}").encode() + b"\n" for i in range(6)),
            id="hexadecimal, two digits",
        ),
    ],
)  # fmt: skip
def test_a_table_keeps_every_other_byte(tmp_path, content):
    """Separators, quotes, blanks, comments, line ends, and how its numbers are written."""
    path = tmp_path / "images.csv"
    path.write_bytes(content)

    assert rewritten(path).read_bytes() == content


@pytest.mark.parametrize(
    ("cells", "value", "expected"),
    [
        (["0", "0.5", "1"], 0.25, "0.25"), (["0.0", "0.5", "1.0"], 1.0, "1.0"),
            (["0.0", "1.0", "0.498"], 1 / 3, "0.333"),
        (["0.000", "0.502", "1.000"], 1 / 3, "0.333"), (["0.0", "128.0", "255.0"], 7.0, "7.0"),
        (["0e+00", "5.020e-01", "1.000e+00"], 0.5, "5.000e-01"), (["-1", "0.5", "1"], -1e-9, "0"),
        (["0", "0.4980392156862745", "1"], 1 / 3, "0.333333333"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_those_of_the_file(tmp_path, cells, value, expected):
    """With as many decimals, whole ones with a point where they had one."""
    path = tmp_path / "images.csv"
    path.write_text(f"{','.join((cells * 6)[:16])}\n" * 6)

    again = rewritten(path, lambda some: np.full_like(some, value))

    assert again.read_text() == f"{','.join([expected] * 16)}\n" * 6


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.uint8()), pa.large_list(pa.float32()), pa.list_(pa.uint8(), 16), pa.binary(),
        pa.list_(pa.list_(pa.int64())), pa.binary(16),
    ],
    ids=str,
)  # fmt: skip
def test_parquet_keeps_columns_of_whole_images(tmp_path, kind):
    """Lists of any type, lists of lists and plain bytes, with the columns beside them."""
    pixels = SPLITS["train"][0][:, :16]
    nested = pa.types.is_list(kind) and pa.types.is_list(kind.value_type)
    cells = [one.reshape(4, 4).tolist() if nested else one.tolist() for one in pixels]
    if "binary" in str(kind):
        cells = [bytes(one) for one in cells]
    table = pa.table({"image": pa.array(cells, kind), "name": [f"n{i}" for i in range(len(cells))]})
    pq.write_table(table.replace_schema_metadata({"by": "me"}), tmp_path / "images.parquet")

    again = rewritten(tmp_path / "images.parquet", lambda some: 255 - some)

    found = pq.read_table(again)
    assert found.schema.equals(pq.read_schema(tmp_path / "images.parquet"), check_metadata=True)
    assert found["name"].equals(table["name"])
    assert (values(again)[0] == 255 - pixels).all()


@pytest.mark.parametrize("dtype", [">i2", "<f4", "f8", "u1", "?"])
def test_an_array_keeps_its_type(tmp_path, dtype):
    """Its order of bytes and its dimensions too, channels before rows and columns included."""
    array = np.arange(5 * 3 * 6 * 6).reshape(5, 3, 6, 6) % 2
    np.save(tmp_path / "images.npy", np.asfortranarray(array.astype(dtype)))

    again = np.load(rewritten(tmp_path / "images.npy", lambda some: 1 - some))

    assert again.dtype == np.dtype(dtype)
    assert (again == 1 - array).all()


def test_a_transposed_table_is_refused_with_a_step_that_works(tmp_path):
    """The line that turns it is run as it stands in the message."""
    [form] = [form for form in FORMS if "transposed" in form.name]
    path = tables(tmp_path, form)[0]
    with pytest.raises(DataError, match="columns are the images") as refused:
        open_rewritable(path, ReadingSettings(rows="pixels"), ImageSettings())

    code = refused.value.advice.partition(": ")[2].removesuffix(".")
    subprocess.run([sys.executable, "-c", f"import pandas; {code}"], cwd=path.parent, check=True)

    turned = path.parent / "turned.csv"
    assert rewritten(turned).read_bytes() == turned.read_bytes()


def test_arff_is_refused_with_a_step_that_works(tmp_path):
    """What the command in the message writes is read, labels included, and written."""
    [form] = [form for form in FORMS if "ARFF" in form.name]
    path = tables(tmp_path, form)[0]
    with pytest.raises(DataError, match="ARFF is read, but not written") as refused:
        rewritten(path)

    command = refused.value.advice.partition("CSV: ")[2]
    subprocess.run(["bash", "-ec", command], cwd=path.parent, check=True)

    made = path.parent / "images.csv"
    assert values(made)[0].tolist() == values(path)[0].tolist()
    assert rewritten(made).read_bytes() == made.read_bytes()


def test_an_image_that_became_a_header_is_refused_with_a_step_that_works(tmp_path):
    """Left as it is, the line is a header like any other."""
    numbers = "0,0.1,0.2,7,7.1,9,0.3,0.4,7.2,0.5,9.1,0.6,0.7,0.8,0.9,0.10"
    path = tmp_path / "images.csv"
    path.write_text("\n".join([numbers, *(row(i) for i in range(6))]) + "\n")
    with pytest.raises(DataError, match="has become a header") as refused:
        rewritten(path)

    assert "--reading.header yes" in refused.value.advice
    assert rewritten(path, header="yes").read_bytes() == path.read_bytes()


def test_a_file_that_is_not_finished_is_not_there(tmp_path):
    """An error while it is written leaves what was there before, and no draft."""
    path = csv()(tmp_path) / "test_data.csv"
    target = tmp_path / "out" / path.name
    target.parent.mkdir()
    target.write_text("of an earlier time")

    with contextlib.suppress(ZeroDivisionError), replacing(target) as draft:
        draft.write(b"half")
        raise ZeroDivisionError

    assert target.read_text() == "of an earlier time"
    assert [one.name for one in target.parent.iterdir()] == [path.name]


def test_two_cannot_write_one_file(tmp_path):
    """The second is refused; the file of the first is whole."""
    with replacing(tmp_path / "a.csv") as draft:
        draft.write(b"whole")
        with pytest.raises(DataError, match="another process"), replacing(tmp_path / "a.csv"):
            pass

    assert (tmp_path / "a.csv").read_bytes() == b"whole"


def test_what_an_earlier_try_has_left_is_written_over(tmp_path):
    """A draft of a process that was killed, longer than what is written now."""
    (tmp_path / ".a.csv.part").write_bytes(b"x" * 1000)

    with replacing(tmp_path / "a.csv") as draft:
        draft.write(b"whole")

    assert (tmp_path / "a.csv").read_bytes() == b"whole"
