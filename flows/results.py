"""What people read of a run of the main job: the table of metrics, the summary, Prefect's pages."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from autoencoders.settings import ResolvedSettings
from flows.catalogue import METHODS, METRICS, Metric
from flows.inspection import inspection_table, read_inspection
from flows.judgement import kept_epoch, warnings
from flows.recipe import drawn_noise_in_words, has_own_noise, noise_in_words, training_in_words
from flows.remarks import remarks
from tasks.engine.handles import ArtifactRef
from tasks.engine.pages import Page, embedded

PAGE_FIGURES = ("denoising", "reconstructions", "loss_curves")
"""The figures on Prefect's pages."""
OWN = "noise of the user's own"


@dataclass(frozen=True)
class Results:
    """What a run has to show."""

    data: Mapping[str, ArtifactRef]
    """The user's files, by role."""
    files: Mapping[str, ArtifactRef]
    """What was made, by what it is."""
    settings: ResolvedSettings
    lineage: str = ""
    """Which step read what, in Markdown."""

    def metrics(self) -> dict[str, Any]:
        """Read the metrics."""
        metrics: dict[str, Any] = json.loads(self.files["metrics.json"].path.read_bytes())
        return metrics

    def inspection(self) -> dict[str, Any]:
        """Read what was recognised in the user's files."""
        return read_inspection(self.files["inspection.json"])

    def warnings(self) -> list[str]:
        """Say what is wrong with the results; nothing if they are as they should be."""
        return [
            *(one["text"] for one in self.inspection()["warnings"]),
            *warnings(self.metrics(), self.settings),
        ]

    def epochs(self) -> list[str]:
        """Say of each network which epoch's weights were kept."""
        histories = {
            one.name: self.files[f"history/{one.name}.csv"] for one in METHODS if one.trained
        }
        keep = self.settings.training.keep
        return [f"{name}: {kept_epoch(read_losses(ref), keep)}" for name, ref in histories.items()]

    def summary(self) -> str:
        """Return the run in Markdown: warnings, metrics, what was run, on what."""
        metrics, settings = self.metrics(), self.settings
        shape = " x ".join(map(str, self.inspection()["shape"]))
        lines = [
            "# Autoencoder and denoiser: results on the test images",
            "",
            *(line for text in self.warnings() for line in (f"> **Warning:** {text}", "")),
            *markdown_table(metrics_table(metrics)),
            "",
            f"{metrics['images']:,} test images of {shape}, {self.noise()}, {self.training()}, "
            f"seed {settings.seed}.",
            "",
            "All methods are compared with the clean images. PSNR is that of the mean MSE, in "
            "parentheses its 95 % interval over draws of test images; `metrics.json` has the "
            "intervals of all, paired differences between methods, and the mean of the per-image "
            "PSNR, `per_image.parquet` every image, `per_class.csv` every class.",
            "",
            *(line for text in self.remarks() for line in (text, "")),
            "Weights:",
            "",
            *(f"- {line}" for line in self.epochs()),
            "",
            "What was recognised:",
            "",
            *(f"- {one['what']}: {one['found']}" for one in inspection_table(self.inspection())),
            "",
            "Inputs, by content:",
            "",
            *(
                f"- {role}: sha256 `{ref.sha256[:16]}…`, {ref.size:,} bytes"
                for role, ref in sorted(self.data.items())
            ),
            "",
        ]
        return "\n".join(lines)

    def noise(self) -> str:
        """Say which noise it is, and what the denoiser learned from."""
        return OWN if has_own_noise(self.data) else noise_in_words(self.settings.model_dump())

    def training(self) -> str:
        """Say how long and with what the networks were trained."""
        return training_in_words(self.settings.model_dump())

    def remarks(self) -> list[str]:
        """Say what the numbers stand on, and what they mean, a paragraph each."""
        codes, layers = (
            _rows(self.files[name])
            for name in ("linear_codes.csv", "models/autoencoder_layers.csv")
        )
        own_noise = "robustness.csv" not in self.files
        return remarks(self.metrics(), codes, layers, own_noise=own_noise)

    def summary_file(self) -> str:
        """Return `summary.md`: the summary, the figures beside it, the lineage."""
        names = [name for name in sorted(self.files) if name.endswith(".png")]
        figures = "".join(f"\n![{Path(name).stem.replace('_', ' ')}]({name})\n" for name in names)
        return f"{self.summary()}{figures}\n{self.lineage}"

    def pages(self) -> list[Page]:
        """Return what Prefect's pages show."""
        figures = [self.files[f"figures/{name}.png"] for name in PAGE_FIGURES]
        rows = metrics_table(self.metrics())
        return [
            Page("summary", "Results of the run", self.summary() + embedded(figures)),
            Page("metrics", "Metrics on the test images", rows),
            Page(
                "report",
                "The report of the run; copy its address into the browser",
                PurePosixPath("report.html"),
            ),
            Page("data", "What was recognised in the data", inspection_table(self.inspection())),
        ]


def said_noise(data: Mapping[str, Any], settings: ResolvedSettings) -> str:
    """Say in a few words which noise the noisy images have.

    Args:
        data: The user's files, by role.
        settings: What is computed.
    """
    return OWN if has_own_noise(data) else drawn_noise_in_words(settings.model_dump())


def metrics_table(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the metrics as rows of text: one per method, one column per metric."""
    found = [one for one in METHODS if isinstance(metrics.get(one.name), Mapping)]
    rows = [
        {
            "method": method.name,
            "description": method.description,
            **{metric.title: _shown(metrics[method.name], metric) for metric in METRICS},
        }
        for method in found
    ]
    if any("as_papers" in metrics[method.name] for method in found):
        for method, row in zip(found, rows, strict=True):
            row["PSNR as in papers"] = _rounded(metrics[method.name]["as_papers"]["psnr"], 2)
    return rows


def markdown_table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return rows of text, at least one, as lines of Markdown; the third column on are numbers."""
    return [
        "| " + " | ".join(rows[0]) + " |",
        "| --- | --- |" + " ---: |" * (len(rows[0]) - 2),
        *("| " + " | ".join(row.values()) + " |" for row in rows),
    ]


def _shown(figures: Mapping[str, Any], metric: Metric) -> str:
    """Return a value, with its interval if the table shows it; earlier versions had none."""
    text = _rounded(figures.get(metric.name), metric.digits)
    interval = figures.get(f"{metric.name}_interval")
    if metric.interval and interval:
        low, high = (_rounded(end, metric.digits) for end in interval)
        return f"{text} ({low} to {high})"
    return text


def _rounded(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _rows(ref: ArtifactRef) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(ref.path.read_text(encoding="utf-8"))))


def read_losses(history: ArtifactRef) -> list[float]:
    """Return the validation loss after each epoch, from a `history.csv`."""
    return [float(row["val_loss"]) for row in _rows(history)]
