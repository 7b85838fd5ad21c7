"""Random tables in random dialects, and random damage to them."""

import bz2
import csv
import gzip
import io
import lzma

import numpy as np
import pytest

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.formats.csv import read_csv
from tasks.formats.errors import DataError

SIDES = (4, 5, 8)
BYTES = b'0123456789,;."\n\r -eE+x\0#\tA|'


def pixels_of(file, size=7):
    parts = list(file.parts(size))
    labels = None if parts[0].labels is None else np.concatenate([part.labels for part in parts])
    return np.concatenate([part.pixels.astype(float) for part in parts]), labels


def opened(path, **reading):
    return read_csv(path, ReadingSettings(**reading), ImageSettings())


class Table:
    """A random table: its values, and how they are written."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.pick = lambda *choices: choices[rng.integers(len(choices))]
        self.count, side = int(rng.integers(12, 40)), self.pick(*SIDES)
        self.labels = rng.permutation(np.arange(self.count) % 4)
        kind = self.pick("bytes", "16", "scaled", "signed", "wide", "point")
        bytes_ = rng.integers(0, 256, (self.count, side * side))
        bytes_[rng.random(bytes_.shape) < 0.3] = 0
        self.pixels = {
            "bytes": bytes_, "16": bytes_ // 16, "scaled": bytes_ / 255, "wide": bytes_ * 257,
            "signed": bytes_ / 127.5 - 1, "point": bytes_.astype(float),
        }[kind]  # fmt: skip
        whole = self.pixels.dtype.kind == "i"
        self.separator = self.pick(",", ";", "\t", " ", "|", ", ", "   ")
        self.comma = not whole and self.separator not in {",", ", "} and self.pick(True, False)
        self.format = "{}" if whole else self.pick("{!r}", "{:.18e}", "{:.17g}")
        self.quote = self.pick("", "", '"')
        self.label = self.pick("", "first", "last")
        self.words = self.pick(False, True)
        self.header = self.pick("", "", "names", "comment")
        self.end = self.pick("\n", "\r\n", "\r")
        self.last_end = self.pick(True, False)
        self.mark = self.pick(b"", b"", b"\xef\xbb\xbf")
        self.trailing = self.separator in ",;|\t" and self.label == "" and self.pick(False, True)
        self.compress = self.pick(bytes, gzip.compress, bz2.compress, lzma.compress)

    def written(self) -> bytes:
        lines = []
        rows = self.pixels.tolist()
        for row, label in zip(rows, self.expected_labels(), strict=True):
            cells = [self.format.format(value) for value in row]
            if self.comma:
                cells = [cell.replace(".", ",") for cell in cells]
            self.beside(cells, str(label))
            cells = [f"{self.quote}{cell}{self.quote}" for cell in cells]
            lines.append(self.separator.join(cells) + (self.separator if self.trailing else ""))
        if self.header == "names":
            names = [f"pixel{at}" for at in range(len(rows[0]))]
            self.beside(names, "label")
            lines.insert(0, self.separator.join(names))
        elif self.header == "comment":
            lines.insert(0, "# drawn at random")
        text = self.end.join(lines) + (self.end if self.last_end else "")
        return self.compress(self.mark + text.encode())

    def beside(self, cells, label):
        if self.label:
            cells.insert(0 if self.label == "first" else len(cells), label)

    def expected_labels(self):
        return [f"class {chr(65 + one)}" if self.words and self.quote else
                chr(65 + one) if self.words else int(one) for one in self.labels]  # fmt: skip


def opened_as_advised(path, table):
    """Open a table; a label that noise at the other end resembles has to be told."""
    try:
        return opened(path)
    except DataError as error:
        assert f"--reading.label {table.label}" in error.advice
        assert not table.words
        return opened(path, label=table.label)


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_tables_in_any_dialect_are_read_right(tmp_path, start):
    """Whatever separates, quotes, ends and compresses, the same pixels and labels come out."""
    for seed in range(start, start + 100):
        table = Table(seed)
        path = tmp_path / "table.csv"
        path.write_bytes(table.written())
        pixels, labels = pixels_of(opened_as_advised(path, table))

        assert np.array_equal(pixels, table.pixels), seed
        if table.label:
            assert labels.tolist() == table.expected_labels(), seed
        else:
            assert labels is None, seed


def plain(seed, rng):
    """Return a table as bytes: 16 pixels, 20 rows, sometimes floats."""
    pixels = rng.integers(0, 256, (20, 16))
    rows = (pixels / 255).round(3).tolist() if seed % 3 == 0 else pixels.tolist()
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


def damaged(text, rng):
    """Delete, insert, replace or repeat some bytes."""
    text = bytearray(text)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(text)))
        one = BYTES[rng.integers(len(BYTES))]
        match rng.integers(5):
            case 0:
                del text[at]
            case 1:
                text.insert(at, one)
            case 2:
                text[at] = one
            case 3:
                del text[at : at + int(rng.integers(1, 200))]
            case _:
                text[at:at] = text[max(0, at - int(rng.integers(1, 200))) : at]
        text = text or bytearray(b"1")
    return bytes(text)


def read_plainly(text, skipped):
    """Read as Python's own reader does, every cell with `float`."""
    rows = [
        row
        for row in csv.reader(io.StringIO(text.decode("latin-1"), newline=None))
        if any(map(str.strip, row))
    ]
    return np.array([[float(cell) for cell in row] for row in rows[skipped:]])


@pytest.mark.parametrize(
    "start", [0, *(pytest.param(start, marks=pytest.mark.long) for start in (1000, 2000))]
)
def test_damage_is_refused_or_changes_what_every_reader_sees(tmp_path, start):
    """Never a traceback, and never other pixels than a plain reader finds in the same text."""
    accepted = 0
    for seed in range(start, start + 1000):
        rng = np.random.default_rng(seed)
        text = damaged(plain(seed, rng), rng)
        path = tmp_path / "table.csv"
        path.write_bytes(text)
        try:
            file = opened(path)
            pixels, _ = pixels_of(file)
        except DataError as error:
            assert str(path) in error.problem, seed
            assert error.advice, seed
            continue
        if file.decisions or file.form != "CSV":
            continue  # such as a comment on top
        accepted += 1
        assert np.array_equal(pixels, read_plainly(text, 0)), (seed, text)
    assert accepted > 100
