"""Runs beside each other: in the terminal, for programs, and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice, product
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from autoencoders.metrics.paired import Gain
from flows.catalogue import METHODS, METRICS, Method
from flows.differences import changed_settings, shown
from flows.evaluation import noise_levels
from flows.recipe import has_own_noise
from flows.records import at, data_name, metrics_of
from tasks.compare import Gallery, compare_images, draw_comparison
from tasks.engine.errors import DamagedError, NotPublishedError
from tasks.engine.journal import RunRecord, run_folder
from tasks.engine.logs import Warn
from tasks.engine.published import published_inputs, read_published
from tasks.engine.store import Store

CHANCE = {"seed", "training.precision", "training.threads"}
"""Settings that change a method by no more than chance does."""
HEADLINES = {"better": "better than", "worse": "worse than", "the same": "the same as",
             "not told apart": "not told apart from",
             "not comparable": "not comparable with"}  # fmt: skip
"""How a verdict goes on in a sentence."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Finished runs, the first of which is what others are compared with."""

    store: Store
    runs: Sequence[RunRecord]
    warn: Warn

    @property
    def letters(self) -> list[str]:
        """A, B, ... for each run, after Z as the columns of a spreadsheet go on: AA, AB, ..."""
        names = chain.from_iterable(product(ascii_uppercase, repeat=size) for size in count(1))
        return ["".join(name) for name in islice(names, len(self.runs))]

    def changed(self) -> dict[str, tuple[Any, ...]]:
        """Return the settings that differ, one value per run."""
        return changed_settings(*(run.settings for run in self.runs))

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics of each run."""
        return [metrics_of(self.store, run, self.warn) for run in self.runs]

    def rows(self) -> list[Row]:
        """Return everything as rows: settings that differ, all metrics, verdicts."""
        return [*self._changed_rows(), *self._metric_rows(), *self.verdicts()]

    def table(self) -> tuple[list[Row], int]:
        """Return the settings and metrics that differ, and how many metrics do not."""
        differ, same = self._metrics_apart()
        return [*self._changed_rows(), *differ], len(same)

    def conclusions(self) -> list[str]:
        """Return the verdicts in lines."""
        return [
            f"{row['what'].removesuffix(' against A')}, {letter} against A: {row[letter]}"
            for row in self.verdicts()
            for letter in self.letters[1:]
            if row[letter]
        ]

    def verdicts(self) -> list[Row]:
        """Say of each network of each run whether it is better than that of the first."""
        if self.doubts():
            return []
        folders = [run_folder(self.store, run.name) for run in self.runs]
        first, *others = (folder / "per_image.parquet" for folder in folders)
        rows = []
        for method in METHODS:
            if method.trained:
                gains = compare_images(first, others, method.name)
                texts = [
                    self._verdict(number, gain, method) for number, gain in enumerate(gains, 1)
                ]
                rows.append(self._row(f"{method.name} against A", (None, *texts)))
        return rows

    def doubts(self) -> list[str]:
        """Say what forbids to compare image by image; nothing if nothing does."""
        try:
            inputs = [published_inputs(self.store, run) for run in self.runs]
            for run in self.runs:
                read_published(self.store, run, "per_image.parquet")
        except (DamagedError, NotPublishedError) as error:
            return [f"They cannot be compared image by image. {error.problem}"]
        if any(one != inputs[0] for one in inputs):
            return ["They are of different data, so they cannot be compared image by image."]
        return []

    def page(self) -> str:
        """Return the page that shows all this, with curves and images."""
        pairs = [*zip(self.letters, self.runs, strict=True)]
        differ, same = self._metrics_apart()
        facts = {
            "headline": self._headline(),
            "runs": [{"as": one, "run": run.name, "data": data_name(run)} for one, run in pairs],
            "doubts": self.doubts(),
            "verdicts": [_filled(row, self.letters) for row in self.verdicts()],
            "changed": [_filled(row, self.letters) for row in self._changed_rows()],
            "metrics": [_filled(row, self.letters) for row in differ],
            "same_metrics": [_filled(row, self.letters) for row in same],
            "metric_numbers": self.letters,
        }  # fmt: skip
        folders = {letter: run_folder(self.store, run.name) for letter, run in pairs}
        histories = {
            one.name: _existing(folders, f"history/{one.name}.csv")
            for one in METHODS
            if one.trained
        }
        return draw_comparison(
            facts, histories, _existing(folders, "robustness.csv"), self._galleries(pairs)
        )

    def _galleries(self, pairs: Sequence[tuple[str, RunRecord]]) -> dict[str, Gallery]:
        """Return where the images are that each run shows, if all are of the same data."""
        found: dict[str, Gallery] = {}
        for letter, run in pairs if not self.doubts() else []:
            try:
                found[letter] = self._gallery(run)
            except (DamagedError, KeyError) as error:
                self.warn(f"{run.name}: its images are left out ({error}).")
        return found

    def _gallery(self, run: RunRecord) -> Gallery:
        steps = {step.step: step for step in run.steps}

        def file(step: str, name: str) -> Path:
            return self.store.find(steps[step].stage, steps[step].key)[name].path

        own_noise = has_own_noise(run.data)
        factor = at(run.settings, "noise", "factor")
        levels = [factor] if own_noise else noise_levels(factor)
        return Gallery(
            clean=file("prepare test", "images.npy"), levels=len(levels),
            noisy=file("score noisy", "gallery.npy"),
            denoised=file("score denoiser", "gallery.npy"), shown=levels.index(factor),
            noise="" if own_noise else f"noise factor {factor:g}",
        )  # fmt: skip

    def _verdict(self, number: int, gain: Gain | None, method: Method) -> str | None:
        if gain is None:
            return None
        if gain.value == gain.low == gain.high == 0:
            return "the same"
        text = f"{gain.value:+.2f} dB ({gain.low:+.2f} to {gain.high:+.2f})"
        noises = [at(self.runs[one].settings, "noise") for one in (0, number)]
        if method.reads == "noisy" and noises[0] != noises[1]:
            return f"not comparable, {text} on other noise"
        if set(changed_settings(self.runs[0].settings, self.runs[number].settings)) <= CHANCE:
            return f"not told apart, {text}, by chance in training"
        return f"{gain.verdict}, {text}"

    def _headline(self) -> str:
        said = [
            f"{letter}: {HEADLINES[str(row[letter]).partition(',')[0]]} A"
            for row in self.verdicts() for letter in self.letters[1:]
            if row["what"].startswith("denoiser") and row[letter]
        ]  # fmt: skip
        return f"Denoiser of {', '.join(said)}" if said else "Runs beside each other"

    def _changed_rows(self) -> list[Row]:
        return [self._row(name, values) for name, values in self.changed().items()]

    def _metric_rows(self) -> list[Row]:
        found = self.metrics()
        rows = []
        for method in METHODS:
            for name in dict.fromkeys(name for one in found for name in at(one, method.name) or {}):
                values = tuple(at(one, method.name, name) for one in found)
                known = [value for value in values if value is not None]
                if known and all(isinstance(value, int | float) for value in known):
                    rows.append(self._row(f"{method.name} {name}", values, change=True))
        return rows

    def _metrics_apart(self) -> tuple[list[Row], list[Row]]:
        """Return the metrics that differ, and those that do not."""
        rows = self._metric_rows()
        same = [row for row in rows if len({row[letter] for letter in self.letters}) == 1]
        return [row for row in rows if row not in same], same

    def _row(self, what: str, values: Sequence[Any], *, change: bool = False) -> Row:
        row = {"what": what, **dict(zip(self.letters, values, strict=True))}
        if len(self.runs) == 2:
            known = change and None not in values
            row["change"] = values[1] - values[0] if known else None
        return row


def _filled(row: Row, letters: Sequence[str]) -> Row:
    """Return a row as texts, without its column of changes."""
    digits = {f"{metric.name}": metric.digits for metric in METRICS}
    wanted = digits.get(row["what"].rpartition(" ")[2])
    return {"what": row["what"]} | {
        letter: f"{row[letter]:.{wanted}f}"
        if wanted is not None and isinstance(row[letter], float)
        else shown(row[letter])
        for letter in letters
    }


def _existing(folders: Mapping[str, Path], place: str) -> dict[str, Path]:
    found = {letter: folder / place for letter, folder in folders.items()}
    return {letter: path for letter, path in found.items() if path.is_file()}
