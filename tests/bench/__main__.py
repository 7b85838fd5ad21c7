"""Every benchmark: `make bench`, and the reference job besides: `make bench-full`.

The data are the first folder that exists of the argument, ../shared/notmnist/full and data/sample.
Tables and a figure go to artifacts/bench/, a copy of the tables to docs/, under the name of the
precision that this machine trains in: machines of the two kinds are far apart.
"""

import os
import platform
import re
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from matplotlib.figure import Figure

from autoencoders.settings import REFERENCE
from tasks.resolve import resolve_settings
from tests.bench.coverage import coverage
from tests.bench.curves import curves
from tests.bench.dialects import dialects
from tests.bench.forms import forms
from tests.bench.full import reference_job
from tests.bench.stages import growth, readers, stages
from tests.bench.tools import HOME, Table
from tests.bench.training import fold, networks, prediction, training_step
from tests.bench.warm import warm_run

MINUTES = (
    training_step, networks, fold, prediction, readers, dialects, forms, stages, growth, warm_run,
    coverage,
)  # fmt: skip
HOURS = (curves, reference_job)


def machine() -> str:
    """Say on what this was measured."""
    info = Path("/proc/cpuinfo")
    name = re.search(r"model name\s*: (.*)", info.read_text()) if info.is_file() else None
    return (
        f"{os.cpu_count()} cores of {name[1] if name else platform.machine()}, Python "
        f"{platform.python_version()}, TensorFlow {version('tensorflow')}, `auto` is "
        f"{resolve_settings(REFERENCE).training.precision}."
    )


def draw(tables: list[Table], path: Path) -> None:
    """Draw the second column of the tables that compare ways to do one thing."""
    compared = [table for table in tables if table.header[0] == "how"]
    if not compared:
        return
    figure = Figure(figsize=(8, 2.2 * len(compared)), layout="constrained")
    for axes, table in zip(
        figure.subplots(len(compared), 1, squeeze=False)[:, 0], compared, strict=True
    ):
        names = [row[0].replace("`", "") for row in reversed(table.rows)]
        values = [float(row[1]) for row in reversed(table.rows)]
        ours = ["#d62728" if name.startswith(("ours", "ingest")) else "#888888" for name in names]
        axes.bar_label(axes.barh(names, values, color=ours), padding=3, fmt="%.3g")
        axes.set_xlabel(table.header[1])
        axes.set_title(table.title)
        axes.margins(x=0.12)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, print and write."""
    whole = "--full" in sys.argv
    candidates = [Path(argument) for argument in sys.argv[1:] if argument != "--full"]
    candidates += [HOME.parent / "shared" / "notmnist" / "full", HOME / "data" / "sample"]
    data = next(path for path in candidates if path.is_dir())
    folder = HOME / "artifacts" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"benchmarks{'-full' if whole else ''}-{resolve_settings(REFERENCE).training.precision}"
    page = folder / f"{name}.md"
    page.write_text(f"# Benchmarks\n\n{machine()}\n")
    tables = []
    for benchmark in HOURS if whole else MINUTES:
        tables.append(benchmark(data))
        print(tables[-1].markdown(), flush=True)
        with page.open("a") as file:
            file.write(f"\n{tables[-1].markdown()}")
    draw(tables, folder / f"{name}.png")
    shutil.copy(page, HOME / "docs" / f"{name}.md")


if __name__ == "__main__":
    main()
