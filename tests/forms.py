"""The same images in every form that people bring, and the table in `docs/data.md` of how each is
recognised. `python -m tests.forms` prints that table."""

import bz2
import gzip
import io
import json
import lzma
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.engine.handles import Output
from tasks.engine.runner import input_refs
from tasks.find_files import find_files
from tasks.formats.image_table import read_image_table
from tasks.ingest import ingest

SIDE = 8
CLASSES = 4
Split = tuple[np.ndarray, np.ndarray]
"""uint8 (n, SIDE * SIDE) pixels, and labels (n,) from 0 to 3, sorted."""


def images(each: int) -> Split:
    """Draw images of 4 x 4 blocks that use every byte's range, `each` of a class."""
    rng = np.random.default_rng(each)
    small = rng.integers(0, 256, (each * CLASSES, 4, 4), np.uint8)
    small[0, 0, :2] = 0, 255
    pixels = small.repeat(SIDE // 4, 1).repeat(SIDE // 4, 2).reshape(len(small), -1)
    return pixels, np.repeat(np.arange(CLASSES), each)


SPLITS = {"train": images(10), "test": images(5)}


def ingested(data: Path, image: Any = {}, reading: Any = {}, seed: int = 0) -> Path:  # noqa: B006
    """Run the stage on what is in `data`; return the folder that it wrote."""
    folder = Path(tempfile.mkdtemp(dir=data.parent)) / "out"
    ingest(
        Output(folder), input_refs(find_files(data)), ImageSettings(**image),
        ReadingSettings(**reading), seed,
    )  # fmt: skip
    return folder


def inspected(folder: Path) -> dict[str, Any]:
    """Return what `ingest` recognised."""
    found: dict[str, Any] = json.loads((folder / "inspection.json").read_bytes())
    return found


def content(table: Path) -> tuple[np.ndarray, list[str] | None]:
    """Return the pixels of a table, uint8 (n, width), and the names of its labels."""
    found = read_image_table(table)
    pixels, labels = zip(*found.batches(10_000), strict=True)
    if not found.labelled:
        return np.concatenate(pixels), None
    numbers = np.concatenate(labels).tolist()
    return np.concatenate(pixels), [
        str(one) if found.classes is None else found.classes[one] for one in numbers
    ]


def text(rows: np.ndarray, separator: str = ",", cell: Callable[[Any], str] = str) -> str:
    """Write rows as lines of text."""
    return "".join(separator.join(map(cell, row)) + "\n" for row in rows.tolist())


def four_files(folder: Path, data: Callable[[np.ndarray], bytes], ending: str = "") -> Path:
    """Write pixels by `data`, labels plainly, under the names of the reference."""
    for split, (pixels, labels) in SPLITS.items():
        (folder / f"{split}_data.csv{ending}").write_bytes(data(pixels))
        (folder / f"{split}_labels.csv").write_text(text(labels[:, None]))
    return folder


def tables(folder: Path, table: Callable[[np.ndarray, np.ndarray], str], name: str) -> Path:
    """Write one file per split, with labels among the pixels; `name` has a place for the split."""
    for split, (pixels, labels) in SPLITS.items():
        (folder / name.format(split)).write_text(table(pixels, labels))
    return folder


def csv(**options: Any) -> Callable[[Path], Path]:
    """Return a writer of the four files in a dialect."""
    return lambda folder: four_files(folder, lambda pixels: text(pixels, **options).encode())


def changed(change: Callable[[str], str]) -> Callable[[Path], Path]:
    """Return a writer of the four files with their text changed."""
    return lambda folder: four_files(folder, lambda pixels: change(text(pixels)).encode())


def scaled(values: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], Path]:
    """Return a writer of the four files with other values."""
    return lambda folder: four_files(folder, lambda pixels: text(values(pixels)).encode())


def packed(compress: Callable[[bytes], bytes], ending: str) -> Callable[[Path], Path]:
    """Return a writer of the four files, compressed."""
    return lambda folder: four_files(folder, lambda pixels: compress(text(pixels).encode()), ending)


def zipped(content: bytes) -> bytes:
    """Put a file into a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.csv", content)
    return file.getvalue()


def idx(values: np.ndarray) -> bytes:
    """Write an array of bytes as IDX."""
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def mnist(folder: Path, compress: Callable[[bytes], bytes] = bytes, ending: str = "") -> Path:
    """Write the four files as MNIST has them."""
    for split, name in (("train", "train"), ("test", "t10k")):
        pixels, labels = SPLITS[split]
        shaped = pixels.reshape(-1, SIDE, SIDE)
        (folder / f"{name}-images-idx3-ubyte{ending}").write_bytes(compress(idx(shaped)))
        (folder / f"{name}-labels-idx1-ubyte{ending}").write_bytes(compress(idx(labels)))
    return folder


def npz(folder: Path) -> Path:
    """Write one archive of arrays, as Keras spreads MNIST."""
    (x_train, y_train), (x_test, y_test) = SPLITS.values()
    np.savez(folder / "mnist.npz", x_train=x_train.reshape(-1, SIDE, SIDE), y_train=y_train,
             x_test=x_test.reshape(-1, SIDE, SIDE), y_test=y_test)  # fmt: skip
    return folder / "mnist.npz"


def npy(folder: Path) -> Path:
    """Write an array per file, images as floats."""
    for split, (pixels, labels) in SPLITS.items():
        shaped = pixels.reshape(-1, SIDE, SIDE, 1)
        np.save(folder / f"x_{split}.npy", (shaped / np.float32(255)).astype(np.float32))
        np.save(folder / f"y_{split}.npy", labels)
    return folder


def parquet(folder: Path) -> Path:
    """Write a table per split, a column per pixel, the label last."""
    for split, (pixels, labels) in SPLITS.items():
        columns = {f"pixel{i}": column for i, column in enumerate(pixels.T.copy())}
        pq.write_table(pa.table({**columns, "label": labels}), folder / f"{split}.parquet")
    return folder


def shards(folder: Path) -> Path:
    """Write tables of encoded pictures, of which the train images fill three, as the Hugging Face
    hub has them."""
    for split, (pixels, labels) in SPLITS.items():
        parts = 3 if split == "train" else 1
        cells = [{"bytes": png(image), "path": None} for image in pixels]
        for part, rows in enumerate(np.array_split(np.arange(len(pixels)), parts)):
            table = pa.table({"image": [cells[row] for row in rows], "label": labels[rows]})
            pq.write_table(table, folder / f"{split}-{part:05}-of-{parts:05}.parquet")
    return folder


def png(image: np.ndarray) -> bytes:
    """Return an image, flattened, as a PNG."""
    file = io.BytesIO()
    Image.fromarray(image.reshape(SIDE, SIDE)).save(file, "PNG")
    return file.getvalue()


def arff(folder: Path) -> Path:
    """Write a file of Weka per split, as OpenML spreads MNIST."""
    names = "".join(f"@ATTRIBUTE pixel{i} REAL\n" for i in range(SIDE * SIDE))
    head = f"@RELATION images\n{names}@ATTRIBUTE class {{0,1,2,3}}\n@DATA\n"
    return tables(folder, lambda pixels, labels: head + text(np.c_[pixels, labels]), "{}.arff")


def pictures(folder: Path) -> Path:
    """Write a PNG per image, in a folder per class, in a folder per split."""
    for split, (pixels, labels) in SPLITS.items():
        for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            place = folder / split / str(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.reshape(SIDE, SIDE)).save(place / f"{number:03}.png")
    return folder


def one_hot(folder: Path) -> Path:
    """Write labels as rows of 0 and one 1."""
    four_files(folder, lambda pixels: text(pixels).encode())
    for split, (_, labels) in SPLITS.items():
        (folder / f"{split}_labels.csv").write_text(text(np.eye(CLASSES, dtype=int)[labels]))
    return folder


def in_one_cell(pixels: np.ndarray, labels: np.ndarray) -> str:
    """Write the pixels of an image in one cell, as FER-2013 has them."""
    rows = zip(labels.tolist(), pixels.tolist(), strict=True)
    return "emotion,pixels\n" + "".join(f'{a},"{" ".join(map(str, b))}"\n' for a, b in rows)


def with_names(pixels: np.ndarray, labels: np.ndarray) -> str:
    """Write a header of names, as mnist_train.csv has it."""
    names = ",".join(
        f"{row}x{column}" for row in range(1, SIDE + 1) for column in range(1, SIDE + 1)
    )
    return f"label,{names}\n" + text(np.c_[labels, pixels])


@dataclass(frozen=True)
class Form:
    """A form of the same images."""

    name: str
    write: Callable[[Path], Path]
    """Writes it into a folder; returns what `--data` takes."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Settings that it needs."""


FORMS = (
    Form("the reference: four CSV files", csv()),
    Form("gzip", packed(gzip.compress, ".gz")),
    Form("bzip2", packed(bz2.compress, ".bz2")),
    Form("xz", packed(lzma.compress, ".xz")),
    Form("zstd", packed(lambda one: pa.compress(one, "zstd", asbytes=True), ".zst")),
    Form("zip", packed(zipped, ".zip")),
    Form("semicolons", csv(separator=";")),
    Form("tabs", csv(separator="\t")),
    Form("spaces", csv(separator=" ")),
    Form("pipes", csv(separator="|")),
    Form("quotes", csv(cell='"{}"'.format)),
    Form("Windows: byte order mark, CRLF, no last line end",
         changed(lambda one: "\ufeff" + one.strip().replace("\n", "\r\n"))),
    Form("comments on top", changed(lambda one: f"# images\n# 8 x 8\n{one}")),
    Form("header pixel0, pixel1, …",
         changed(lambda one: ",".join(f"pixel{i}" for i in range(SIDE * SIDE)) + "\n" + one)),
    Form("row numbers (pandas' index)",
         changed(lambda one: "".join(f"{i},{row}\n" for i, row in enumerate(one.splitlines())))),
    Form("hexadecimal", csv(cell=hex)),
    Form("floats from 0.0 to 255.0", scaled(lambda one: one.astype(float))),
    Form("floats from 0 to 1", scaled(lambda one: (one / 255).round(6))),
    Form("floats from -1 to 1", scaled(lambda one: (one / 127.5 - 1).round(6))),
    Form("floats from -0.5 to 0.5", scaled(lambda one: (one / 255 - 0.5).round(6))),
    Form("bytes with a sign, -128 to 127 (int8)", scaled(lambda one: one.astype(np.int8))),
    Form("percentages", scaled(lambda one: (one / 2.55).round(2))),
    Form("16 bits, 0 to 65,535", scaled(lambda one: one.astype(int) * 257)),
    Form("label first, a header of names (mnist_train.csv)",
         lambda folder: tables(folder, with_names, "mnist_{}.csv")),
    Form("label last, no header",
         lambda folder: tables(folder, lambda x, y: text(np.c_[x, y]), "{}.csv")),
    Form("pixels of an image in one cell (FER-2013)",
         lambda folder: tables(folder, in_one_cell, "{}.csv")),
    Form("one-hot labels", one_hot),
    Form("transposed: a row per pixel (--reading.rows pixels)",
         lambda folder: four_files(folder, lambda pixels: text(pixels.T).encode()),
         {"rows": "pixels"}),
    Form("IDX (train-images-idx3-ubyte)", mnist),
    Form("IDX, gzipped", lambda folder: mnist(folder, gzip.compress, ".gz")),
    Form("one .npz (Keras's mnist.npz)", npz),
    Form("a .npy per file, floats", npy),
    Form("Parquet, a column per pixel", parquet),
    Form("Parquet in several files, PNG inside (Hugging Face)", shards),
    Form("ARFF (OpenML's mnist_784)", arff),
    Form("PNG in a folder per class, in train and test", pictures),
)  # fmt: skip


def table() -> str:
    """Return the table of forms as Markdown."""
    rows = ["| form | recognised as | decided by looking | pixels |", "| --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        expected = None
        for number, form in enumerate(FORMS):
            place = Path(folder) / str(number)
            place.mkdir()
            made = ingested(form.write(place), reading=form.reading)
            found = inspected(made)
            bytes_ = [(made / f"{split}.parquet").read_bytes() for split in SPLITS]
            expected = expected or bytes_
            decided = "; ".join(one["what"] for one in found["decisions"])
            forms = ", ".join(dict.fromkeys(found["form"].values()))
            same = "the same" if bytes_ == expected else "DIFFERENT"
            rows.append(f"| {form.name} | {forms} | {decided} | {same} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
