"""The table of an experiment: its order, its texts, and what a finished one returns."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autoencoders.experiments.points import written
from flows.trials import GIVEN_UP

Row = dict[str, Any]


def decibels(value: tuple[float, float | None]) -> str:
    """Return a mean in dB, with its spread over seeds if there is one."""
    mean, spread = value
    return f"{mean:.2f} dB" if spread is None else f"{mean:.2f} ± {spread:.2f} dB"


def in_order(rows: Sequence[Row], sort: str) -> list[Row]:
    """Return rows in an order: psnr, cost, point, or a setting; what has no value comes last."""
    name = {"psnr": "val_psnr", "cost": "cpu_seconds"}.get(sort, sort)
    falling = name == "val_psnr"
    known = [row for row in rows if row.get(name) is not None]
    if falling:  # what was given up has a short training's loss
        known = [row for row in known if row["state"] != GIVEN_UP]
    rest = [row for row in rows if row not in known]
    numbers = all(isinstance(row[name], int | float) for row in known)
    known.sort(key=lambda row: row[name] if numbers else str(row[name]), reverse=falling)
    return [*known, *rest]


def column_titles(names: Sequence[str]) -> dict[str, str]:
    """Return what columns of settings are called: without their group, where that is clear."""
    short = {name: name.rpartition(".")[2].replace("_", " ") for name in names}
    return short if len(set(short.values())) == len(short) else {name: name for name in names}


def table(rows: Sequence[Row], names: Sequence[str], sort: str) -> list[dict[str, str]]:
    """Return points as rows of text, in an order."""
    fields = column_titles(names)
    return [
        {
            "point": str(row["point"]),
            "state": row["state"],
            **{title: written(row[name]) for name, title in fields.items()},
            "PSNR (dB)": _decimals(row["val_psnr"], 2),
            "± seeds": _decimals(row["val_psnr_sd"], 2),
            "cost (CPU s)": _decimals(row["cpu_seconds"], 1),
            "test PSNR": _decimals(row["test_psnr"], 2),
            "note": row["note"],
        }
        for row in in_order(rows, sort)
    ]


def _decimals(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def as_csv(rows: Sequence[Row]) -> str:
    """Return rows as a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: f"{value:.7g}" if isinstance(value, float) else value for name, value in row.items()}
        for row in rows
    )
    return text.getvalue()


@dataclass(frozen=True)
class FinishedExperiment:
    """A finished experiment, for whoever called it. Nothing is read before it is asked for."""

    folder: Path
    """Where everything of it is."""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `experiment.json` has: `points`, `trainings`, `chosen`, `conclusion`."""
        found: dict[str, Any] = json.loads((self.folder / "experiment.json").read_bytes())
        return found

    @property
    def conclusion(self) -> str:
        """What was chosen, and how good it is."""
        return str(self.facts["conclusion"])

    def table(self, sort: str = "psnr") -> list[dict[str, str]]:
        """Return the points as rows of text, by psnr, cost, point, or a setting."""
        return table(self.facts["points"], self.facts["varied"], sort)
