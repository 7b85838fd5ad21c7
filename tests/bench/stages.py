"""Time and memory of every stage, and how they grow with the rows; CSV readers beside ingest."""

import contextlib
import importlib
import importlib.util
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from autoencoders.settings import REFERENCE, Settings, TrainingSettings
from flows.full import pipeline
from tasks.engine.handles import Output
from tasks.engine.manifest import Artifact
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.ingest import ingest
from tasks.resolve import resolve_settings
from tests.bench.tools import Figures, Table, peak_memory

GROWING = ("ingest", "prepare train", "add noise train")
"""Steps whose input grows with the train rows, before any training."""
FACTORS = (4, 16)


def multiplied(data: Path, factor: int, target: Path) -> Path:
    """Write the four files of `data` `factor` times over; gzip members may follow one another."""
    target.mkdir()
    for path in data.iterdir():
        (target / path.name).write_bytes(path.read_bytes() * factor)
    return target


def in_a_process(
    work: Callable[..., Any], *arguments: Any, library: str = "pyarrow"
) -> tuple[Figures, Any]:
    """Call `work` in a fresh process, after `library` and this module have been imported; return
    what it took and what it returned."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_work, args=(there, work, arguments, library))
    process.start()
    there.close()
    try:
        figures, returned = here.recv()
    except EOFError:
        sys.exit(f"{work.__name__} failed.")
    process.join()
    return figures, returned


def _work(
    connection: Connection, work: Callable[..., Any], arguments: tuple[Any, ...], library: str
) -> None:
    importlib.import_module(library)
    cpu, wall = time.process_time(), time.perf_counter()
    returned = work(*arguments)
    figures = (time.process_time() - cpu, time.perf_counter() - wall, peak_memory())
    connection.send((figures, returned))


def compute(root: Path, function: Callable[..., None], inputs: dict[str, Any]) -> Artifact:
    """Compute one stage, in a process of its own."""
    return stage_of(function).compute(Store(root), inputs)


class EnoughError(Exception):
    """All steps that were asked for are done."""


class Measuring:
    """Runs the steps of a pipeline, each in a process of its own, and keeps what they took."""

    def __init__(self, root: Path, last: str | None) -> None:
        """Stop after the step `last`, or at the end."""
        self.root, self.last = root, last
        self.found: dict[str, Figures] = {}

    def __call__(
        self, label: str, function: Callable[..., None], /, *args: Any, **kwargs: Any
    ) -> Artifact:
        """Do one step."""
        inputs = stage_of(function).bind(*args, **kwargs)
        self.found[label], made = in_a_process(compute, self.root, function, inputs)
        if label == self.last:
            raise EnoughError
        return made  # type: ignore[no-any-return]


def measured(
    data: Path, root: Path, settings: Settings, last: str | None = None
) -> dict[str, Figures]:
    """Run the pipeline on `data` up to the step `last`, or to its end."""
    measuring = Measuring(root, last)
    with contextlib.suppress(EnoughError):
        pipeline(measuring, input_refs(find_files(data)), resolve_settings(settings))
    if last is not None and last not in measuring.found:
        raise ValueError(f"No step is called {last}.")
    return measuring.found


def stages(data: Path) -> Table:
    """Measure every stage once, with one epoch."""
    one_epoch = REFERENCE.model_copy(update={"training": TrainingSettings(epochs=1)})
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = measured(data, Path(folder), one_epoch)
    return Table(
        "The stages, with one epoch",
        "Each in a process of its own that has Prefect and pyarrow loaded; what the stage itself "
        "loads, such as TensorFlow (some 8 CPU s and 700 MiB), is included.",
        ["step", "CPU s", "s", "peak MiB"],
        [[step, f"{cpu:.2f}", f"{wall:.2f}", f"{peak:.0f}"]
         for step, (cpu, wall, peak) in found.items()],
    )  # fmt: skip


def growth(data: Path) -> Table:
    """Measure what grows with the rows at some times the rows."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for factor in (1, *FACTORS):
            with tempfile.TemporaryDirectory(dir=name) as folder:
                larger = multiplied(data, factor, Path(folder) / "data")
                found[factor] = measured(larger, Path(folder) / "store", REFERENCE, GROWING[-1])
    rows = []
    for step in GROWING:
        for index, figure in ((0, "CPU s"), (2, "peak MiB")):
            base = found[1][step][index]
            row = [f"{step}, {figure}", f"{base:.{0 if index else 2}f}"]
            for factor in FACTORS:
                value = found[factor][step][index]
                row += [f"{value:.{0 if index else 2}f}", f"{value / base:.2f}"]
            rows.append(row)
    header = [
        "step",
        "rows x 1",
        *(part for factor in FACTORS for part in (f"x {factor}", "ratio")),
    ]
    note = "CPU time grows with the rows, memory does not."
    return Table("Cost against rows", note, header, rows)


def read_with_pandas(data: Path) -> None:
    """Read the images as a notebook does."""
    import pandas as pd

    for path in sorted(data.glob("*_data.csv*")):
        pd.read_csv(path, header=None)


def read_with_arrow(data: Path) -> None:
    """Read the images with Arrow alone, unchecked."""
    from pyarrow import csv

    for path in sorted(data.glob("*_data.csv*")):
        csv.read_csv(path, csv.ReadOptions(autogenerate_column_names=True))


def read_with_polars(data: Path) -> None:
    """Read the images with Polars alone, unchecked."""
    import polars as pl

    for path in sorted(data.glob("*_data.csv*")):
        pl.read_csv(path, has_header=False)


def ingest_them(data: Path) -> None:
    """Do what the stage does: read, check each value and both counts, write Parquet."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = input_refs(find_files(data))
        ingest(Output(Path(folder) / "out"), files, REFERENCE.image, REFERENCE.reading, 0)


READERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "pandas.read_csv": (read_with_pandas, "pandas"),
    "pyarrow.csv.read_csv": (read_with_arrow, "pyarrow.csv"),
    "polars.read_csv": (read_with_polars, "polars"),
    "ingest: checked, and written to Parquet": (ingest_them, "tasks.ingest"),
}


def readers(data: Path) -> Table:
    """Compare ingest with what reads CSV files elsewhere."""
    found_here = {
        name: one
        for name, one in READERS.items()
        if importlib.util.find_spec(one[1].partition(".")[0])
    }
    rounds: dict[str, list[Figures]] = {name: [] for name in found_here}
    for _ in range(5):
        for name, (work, library) in found_here.items():
            rounds[name].append(in_a_process(work, data, library=library)[0])
    found = {name: [sorted(column)[2] for column in zip(*all_of_it, strict=True)]
             for name, all_of_it in rounds.items()}  # fmt: skip
    base = found["pandas.read_csv"]
    return Table(
        "Reading the CSV files",
        "Train and test images; medians of 5 rounds, in turns, imports not counted.",
        ["how", "CPU s", "s", "peak MiB", "CPU against pandas", "time against pandas"],
        [
            [name, f"{cpu:.2f}", f"{wall:.2f}", f"{peak:.0f}", f"{cpu / base[0]:.2f}",
             f"{wall / base[1]:.2f}"]
            for name, (cpu, wall, peak) in found.items()
        ],
    )  # fmt: skip
