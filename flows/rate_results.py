"""What people read of rate against distortion: a table, a figure, and one sentence."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from autoencoders.experiments.outcomes import mean_and_spread, psnr_of
from flows.experiment_table import as_csv, decibels
from flows.inspection import inspection_table, read_inspection
from flows.results import markdown_table
from tasks.engine.handles import ArtifactRef
from tasks.engine.manifest import Artifact
from tasks.engine.pages import Page, embedded

Row = dict[str, Any]
FIGURE = "figures/rates.png"
CONVENTION = (
    "PSNR is that of the mean squared error on the test images, in the mean over seeds, with the "
    "standard deviation over them. A linear probe is a least-squares classifier of what it is "
    "given; principal components and probes are fitted to the train images. Codes in few bits are "
    "rounded to evenly spaced values over their range among the train images."
)


@dataclass(frozen=True)
class RateResults:
    """What codes of several sizes are worth."""

    files: dict[str, ArtifactRef]
    linear: ArtifactRef
    """`rates.csv` of principal components."""
    bits: int
    measured: dict[tuple[int, int], Artifact] = field(default_factory=dict)
    """By size and seed, what was measured of a network."""

    def add(self, size: int, seed: int, found: Artifact) -> None:
        """Take in what was measured of a network."""
        self.measured[size, seed] = found

    def rows(self) -> list[Row]:
        """Return a row per method and size."""
        rows = []
        for size in dict.fromkeys(size for size, _ in self.measured):
            found = [
                json.loads(one["rate.json"].path.read_bytes())
                for (other, _), one in self.measured.items() if other == size
            ]  # fmt: skip
            rows.append(_row("autoencoder", size, found))
        text = self.linear.path.read_text(encoding="utf-8")
        for line in csv.DictReader(io.StringIO(text)):
            one = {name: float(value) if value else None for name, value in line.items()}
            method = "pixels" if one["mse"] is None else "PCA"
            rows.append(_row(method, int(line["numbers"]), [one]))
        return rows

    def title(self) -> str:
        """Return what the figure is called."""
        shape = " x ".join(map(str, read_inspection(self.files["inspection.json"])["shape"]))
        return f"Images of {shape} in few numbers: an autoencoder and principal components"

    def conclusion(self) -> str:
        """Say in one sentence whether the autoencoder compresses better than linear codes."""
        rows = self.rows()
        ours, theirs = (
            {row["numbers"]: row for row in rows if row["method"] == method}
            for method in ("autoencoder", "PCA")
        )
        gains = {
            size: ours[size]["quantised_psnr"] - theirs[size]["quantised_psnr"] for size in ours
        }
        better = [size for size, gain in gains.items() if gain > 0]
        worse = [size for size in gains if size not in better]
        claim = " and ".join(
            f"{what} principal components at {_sizes(sizes)} numbers"
            for what, sizes in (("better than", better), ("no better than", worse)) if sizes
        )  # fmt: skip
        return (
            f"With as many numbers of {self.bits} bits each, the autoencoder restores test images "
            f"{claim} (in dB: {', '.join(f'{gain:+.1f}' for gain in gains.values())})."
        )

    def text(self, figure: str = f"![rates]({FIGURE})") -> str:
        """Return all of it in Markdown."""
        return "\n".join([
            "# Rate against distortion", "", self.conclusion(), "",
            *markdown_table(table(self.rows(), self.bits)), "", CONVENTION, "", figure, "",
        ])  # fmt: skip

    def published(self) -> tuple[dict[str, ArtifactRef], dict[str, str], list[Page]]:
        """Return what the run's folder gets: files, texts, and Prefect's pages."""
        files = {name: ref for name, ref in self.files.items()
                 if name == "inspection.json" or name.startswith("figures/")}  # fmt: skip
        rows = self.rows()
        facts = {"bits": self.bits, "conclusion": self.conclusion(), "rows": rows}
        texts = {
            "rates.md": self.text(),
            "rates.csv": as_csv(rows),
            "rates.json": json.dumps(facts, indent=1) + "\n",
        }
        found = read_inspection(self.files["inspection.json"])
        return files, texts, [
            Page("summary", "Rate against distortion", self.text(embedded([self.files[FIGURE]]))),
            Page("rates", "All sizes", table(rows, self.bits)),
            Page("data", "What was recognised in the data", inspection_table(found)),
        ]  # fmt: skip


def _row(method: str, size: int, found: Sequence[Row]) -> Row:
    """Return means and spreads over seeds; null where nothing was measured."""
    row: Row = {"method": method, "numbers": size, "seeds": len(found)}
    for name, source in (("psnr", "mse"), ("quantised_psnr", "quantised_mse")):
        errors = [one[source] for one in found if one[source] is not None]
        mean, spread = mean_and_spread([psnr_of(max(one, 1e-12)) for one in errors]) if errors \
            else (None, None)  # fmt: skip
        row |= {name: mean, f"{name}_sd": spread}
    known = [one["accuracy"] for one in found if one["accuracy"] is not None]
    mean, spread = mean_and_spread(known) if known else (None, None)
    return {**row, "accuracy": mean, "accuracy_sd": spread}


def _sizes(sizes: Sequence[int]) -> str:
    words = [str(one) for one in sizes]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def table(rows: Sequence[Row], bits: int) -> list[dict[str, str]]:
    """Return the rows as text."""
    return [
        {
            "method": row["method"],
            "numbers": str(row["numbers"]),
            "bytes": str(math.ceil(row["numbers"] * bits / 8)) if row["method"] != "pixels" else "",
            "PSNR": _decibels(row, "psnr"),
            f"PSNR at {bits} bits": _decibels(row, "quantised_psnr"),
            "linear probe": "" if row["accuracy"] is None else f"{row['accuracy']:.1%}",
        }
        for row in rows
    ]


def _decibels(row: Row, name: str) -> str:
    return "" if row[name] is None else decibels((row[name], row[f"{name}_sd"]))


@dataclass(frozen=True)
class FinishedRates:
    """A finished run, for whoever called it. Nothing is read before it is asked for."""

    folder: Path
    """Where everything of it is."""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `rates.json` has: `rows`, `bits`, `conclusion`."""
        found: dict[str, Any] = json.loads((self.folder / "rates.json").read_bytes())
        return found

    @property
    def conclusion(self) -> str:
        """One sentence."""
        return str(self.facts["conclusion"])

    def table(self) -> list[dict[str, str]]:
        """Return all sizes as rows of text."""
        return table(self.facts["rows"], self.facts["bits"])
