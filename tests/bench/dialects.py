"""What reading tables of text takes in the forms in which they circulate, beside pandas."""

import statistics
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.formats.csv import read_csv
from tests.bench.stages import in_a_process
from tests.bench.tools import Figures, Table

ROWS = 10_000
ROUNDS = 3
PART = 20_000
"""Rows that are asked for at a time."""


def joined(separator: str, form: str) -> Callable[[list[int], int], str]:
    """Return what writes the values of a row with something between."""
    return lambda row, label: separator.join(form.format(value) for value in row)


DIALECTS: dict[str, tuple[Callable[[list[int], int], str], dict[str, Any]]] = {
    "commas, the reference form": (joined(",", "{}"), {}),
    "label first": (lambda row, label: f"{label}," + joined(",", "{}")(row, label), {}),
    "word last": (lambda row, label: joined(",", "{}")(row, label) + f",class {label}", {}),
    "CRLF": (lambda row, label: joined(",", "{}")(row, label) + "\r", {}),
    "semicolons": (joined(";", "{}"), {"sep": ";"}),
    "tabs": (joined("\t", "{}"), {"sep": "\t"}),
    "blanks": (joined(" ", "{}"), {"sep": " "}),
    "comma and blank": (joined(", ", "{}"), {"skipinitialspace": True}),
    "quotes": (joined(",", '"{}"'), {}),
    "floats, 255.0": (joined(",", "{}.0"), {}),
    "floats, scaled": (lambda row, label: ",".join(repr(value / 255) for value in row), {}),
    "floats, exponents": (joined(",", "{:.18e}"), {}),
    "decimal commas": (joined(";", "{},5"), {"sep": ";", "decimal": ","}),
}
"""How a row is written, and what pandas has to be told to read it."""


def read_with_pandas(path: Path, options: dict[str, Any]) -> None:
    """Read one file as a notebook does."""
    import pandas as pd

    pd.read_csv(path, header=None, **options)


def read_here(path: Path) -> None:
    """Read one file as ingest does: recognised, every value checked."""
    for _ in read_csv(path, ReadingSettings(), ImageSettings()).parts(PART):
        pass


def dialects(data: Path) -> Table:
    """Compare reading with pandas in each form."""
    source = next(path for path in sorted(data.glob("test_data.csv*")))
    parts = read_csv(source, ReadingSettings(), ImageSettings()).parts(1000)
    pixels = np.concatenate([part.pixels for part in islice(parts, ROWS // 1000)]).tolist()
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "data.csv"
        for name, (write, options) in DIALECTS.items():
            with path.open("w", newline="") as file:
                file.writelines(write(row, at % 10) + "\n" for at, row in enumerate(pixels))
            rows.append(_compared(name, path, options))
    return Table(
        "Tables of text in other forms",
        f"{len(pixels):,} images, one file; medians of {ROUNDS} rounds, in turns, imports not "
        "counted. pandas is told the form, ingest's reader finds it and checks every value.",
        ["form", "CPU s", "pandas CPU s", "CPU against pandas", "peak MiB", "pandas peak MiB"],
        rows,
    )


def _compared(name: str, path: Path, options: dict[str, Any]) -> list[str]:
    ours: list[Figures] = []
    pandas: list[Figures] = []
    for _ in range(ROUNDS):
        ours.append(in_a_process(read_here, path, library="tasks.formats.csv")[0])
        pandas.append(in_a_process(read_with_pandas, path, options, library="pandas")[0])
    (cpu, _, peak), (their_cpu, _, their_peak) = (
        [statistics.median(column) for column in zip(*figures, strict=True)]
        for figures in (ours, pandas)
    )
    return [name, f"{cpu:.2f}", f"{their_cpu:.2f}", f"{cpu / their_cpu:.2f}", f"{peak:.0f}",
            f"{their_peak:.0f}"]  # fmt: skip
