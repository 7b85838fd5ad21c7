"""What ingest takes for the same images in every form that it knows."""

import tempfile
from pathlib import Path

from tests import forms as known
from tests.bench.stages import in_a_process
from tests.bench.tools import Table

EACH = {"train": 12_500, "test": 2_500}
"""Images of a class, of which there are four."""


def ingest_form(data: Path, number: int) -> None:
    """Run the stage on what was written in a form."""
    known.ingested(data, reading=known.FORMS[number].reading)


def forms(data: Path) -> Table:
    """Measure the whole stage in each form; `data` is not read."""
    known.SPLITS.update({split: known.images(each) for split, each in EACH.items()})
    count, rows, base = sum(EACH.values()) * known.CLASSES, [], 0.0
    for number, form in enumerate(known.FORMS):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            (place := Path(folder) / "data").mkdir()
            written = form.write(place)
            size = sum(one.stat().st_size for one in place.rglob("*") if one.is_file())
            (cpu, wall, peak), _ = in_a_process(
                ingest_form, written, number, library="tasks.ingest"
            )
        base = base or cpu
        rows.append([form.name, f"{size / 1e6:.1f}", f"{cpu:.2f}", f"{wall:.2f}",
                     f"{cpu / base:.2f}", f"{peak:.0f}"])  # fmt: skip
    return Table(
        "The same images in every form",
        f"{count:,} images of {known.SIDE} x {known.SIDE}; the whole stage `ingest` once: "
        "recognised, every value checked, copies found, written to Parquet. Imports not counted.",
        ["form", "MB", "CPU s", "s", "CPU against the first", "peak MiB"],
        rows,
    )
