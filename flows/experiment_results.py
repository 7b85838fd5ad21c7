"""What people read of an experiment: its table, what was chosen, and what that is worth."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autoencoders.experiments.outcomes import mean_and_spread, not_told_apart, psnr_of
from autoencoders.experiments.points import written
from flows.evaluation import Files
from flows.experiment_plan import Question
from flows.experiment_table import as_csv, column_titles, decibels, in_order, table
from flows.inspection import inspection_table, read_inspection
from flows.recipe import drawn_noise_in_words
from flows.report_facts import command
from flows.results import markdown_table
from flows.trials import GIVEN_UP, TRAINED, Trial
from tasks.engine.pages import Page, embedded
from tasks.resolve import resolve_settings

Row = dict[str, Any]
FIGURE = "figures/pareto.png"
CONVENTION = (
    "PSNR is that of the mean squared error on the validation images, in the mean over seeds, with "
    "the standard deviation over them. Cost is the CPU seconds of one training when it was "
    "computed. The test images had no part in the choice."
)


@dataclass(frozen=True)
class ExperimentResults:
    """What came of an experiment."""

    question: Question
    files: Files
    trials: Sequence[Trial]
    data: str
    """What the user's data are called."""
    scores: dict[int, list[Row]] = field(default_factory=dict)
    """By number of a point that was chosen, its metrics on the test images, one per seed."""

    @cached_property
    def problems(self) -> list[list[Trial]]:
        """The points that were trained, those of one noise together; the best of each first."""
        found: dict[tuple[str, float], list[Trial]] = {}
        for one in self.trials:
            if one.state == TRAINED:
                noise = one.point.problem if self.question.method.reads == "noisy" else ("", 0.0)
                found.setdefault(noise, []).append(one)
        return [sorted(one, key=lambda trial: -trial.psnr[0]) for one in found.values()]

    def chosen(self) -> list[Trial]:
        """Return the best point of each noise, by its loss on the validation images alone."""
        return [best for best, *_ in self.problems]

    def rows(self) -> list[Row]:
        """Return a row per point, in order."""
        chosen = {one.number for one in self.chosen()}
        return [self._row(one, chosen=one.number in chosen) for one in self.trials]

    def _row(self, one: Trial, *, chosen: bool) -> Row:
        known = one.state in (TRAINED, GIVEN_UP)
        psnr, spread = one.psnr if known else (None, None)
        tested = [score["psnr"] for score in self.scores.get(one.number, [])]
        test, test_spread = mean_and_spread(tested) if tested else (None, None)
        losses = [training.loss for training in one.trainings]
        return {
            "point": one.number,
            **one.point.values,
            "state": "chosen" if chosen else one.state,
            "seeds": len(one.trainings),
            "val_loss": mean_and_spread(losses)[0] if losses else None,
            "val_psnr": psnr,
            "val_psnr_sd": spread,
            "cpu_seconds": one.cost,
            "test_psnr": test,
            "test_psnr_sd": test_spread,
            "note": one.note,
        }

    def plotted(self) -> list[Row]:
        """Return what the figure shows: the points that were trained and whose cost is known."""
        chosen = {one.number for one in self.chosen()}
        return [
            {
                "point": one.number, "words": one.point.words, "noise": self._noise(one),
                "psnr": one.psnr[0], "spread": one.psnr[1], "cost": one.cost,
                "chosen": one.number in chosen,
            }
            for group in self.problems for one in group if one.cost is not None
        ]  # fmt: skip

    def title(self) -> str:
        """Return what the figure is called."""
        return f"Validation of the {self.question.network} against the cost of its training"

    def _noise(self, one: Trial) -> str:
        if self.question.method.reads == "clean":
            return "clean images"
        return drawn_noise_in_words(one.point.settings.model_dump())

    def conclusions(self) -> list[str]:
        """Say what was chosen and how good it is, a paragraph per noise."""
        return [self._conclusion(group) for group in self.problems]

    def conclusion(self) -> str:
        """Return all of that in one text."""
        return "\n".join(self.conclusions())

    def _conclusion(self, group: Sequence[Trial]) -> str:
        best = group[0]
        images = self.scores[best.number][0]["images"]
        tested = mean_and_spread([one["psnr"] for one in self.scores[best.number]])
        text = (
            f"Best of {len(group)} on {self._noise(best)}: point {best.number} "
            f"({best.point.words}), {decibels(best.psnr)} on the validation images; "
            f"{decibels(tested)} on the {images:,} test images, scored after the choice."
        )
        if self.question.seeds == 1:
            return f"{text} One seed per point: small differences may be chance; more seeds tell."
        means, spreads = zip(*(one.psnr for one in group), strict=True)
        rivals = [group[place].number for place in not_told_apart(means, spreads, 0)]
        if rivals:
            text += f" Within the spread of seeds: point {', '.join(map(str, sorted(rivals)))}."
        return text

    def commands(self) -> list[str]:
        """Return the commands that make the whole report of what was chosen."""
        found = []
        for one in self.chosen():
            settings = resolve_settings(one.point.settings).model_dump(mode="json")
            found.append(command(self.data, settings))
        return found

    def text(self, figure: str = f"![pareto]({FIGURE})") -> str:
        """Return the experiment in Markdown."""
        lines = [
            f"# Experiment: {self.question.network}", "",
            *(line for text in self.warnings() for line in (f"> **Warning:** {text}", "")),
            *(line for text in self.conclusions() for line in (text, "")),
            *markdown_table(table(self.rows(), self.question.names, "psnr")), "",
            CONVENTION, "", self._total(), "",
            figure, "",
            "The whole report of what was chosen, whose training comes from the cache:", "",
            "```bash", *self.commands(), "```", "",
        ]  # fmt: skip
        return "\n".join(lines)

    def warnings(self) -> list[str]:
        """Return what is odd about the data."""
        return [one["text"] for one in read_inspection(self.files["inspection.json"])["warnings"]]

    def _total(self) -> str:
        costs = [one.cost * len(one.trainings) for one in self.trials if one.cost is not None]
        return f"All trainings of the table together cost {sum(costs):,.0f} CPU seconds."

    def page_facts(self) -> dict[str, Any]:
        """Return what the page of the experiment says."""
        names = column_titles(self.question.names)
        return {
            "what": f"Experiment with {len(self.trials)} points of the {self.question.network} "
                    f"on {self.data}",
            "headline": f"Which {self.question.network} is best, and at which cost",
            "conclusions": self.conclusions(),
            "doubts": self.warnings(),
            "points": [
                {"point": row["point"], "state": row["state"],
                 **{title: written(row[name]) for name, title in names.items()},
                 "PSNR (dB)": row["val_psnr"], "± seeds": row["val_psnr_sd"],
                 "cost (CPU s)": row["cpu_seconds"], "test PSNR": row["test_psnr"],
                 "note": row["note"]}
                for row in in_order(self.rows(), "psnr")
            ],
            "chosen": [one.number for one in self.chosen()],
            "convention": f"{CONVENTION} {self._total()}",
            "commands": self.commands(),
        }  # fmt: skip

    def published(self) -> tuple[Files, dict[str, str], list[Page]]:
        """Return what the run's folder gets: files, texts, and Prefect's pages."""
        files = {
            name: ref for name, ref in self.files.items()
            if name == "inspection.json" or name.startswith("figures/") or name.endswith(".html")
        }  # fmt: skip
        network = self.question.network
        for one in self.trials:
            for training in one.trainings if one.state == TRAINED else ():
                place = f"point_{one.number}_seed_{training.seed}"
                files[f"history/{place}.csv"] = training.files[f"history/{network}.csv"]
                if one.number in self.scores:
                    files[f"models/{place}.keras"] = training.files[f"models/{network}.keras"]
        texts = {
            "experiment.md": self.text(),
            "experiment.csv": as_csv(self.rows()),
            "experiment.json": json.dumps(self.facts(), indent=1, ensure_ascii=False) + "\n",
        }
        shown = table(self.rows(), self.question.names, "psnr")
        found = read_inspection(self.files["inspection.json"])
        return files, texts, [
            Page("summary", "What was chosen, and why", self.text(embedded([self.files[FIGURE]]))),
            Page("points", "All points, the best first", shown),
            Page("data", "What was recognised in the data", inspection_table(found)),
        ]  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return everything as JSON values: the table, each training, what was chosen."""
        return {
            "network": self.question.network,
            "varied": self.question.names,
            "conclusion": self.conclusion(),
            "points": self.rows(),
            "trainings": [
                {"point": one.number, "seed": training.seed, "val_loss": training.loss,
                 "val_psnr": psnr_of(training.loss), "cpu_seconds": training.cpu_seconds}
                for one in self.trials for training in one.trainings
            ],
            "chosen": [
                {"point": one.number, "settings": one.point.settings.model_dump(mode="json"),
                 "test": self.scores[one.number]}
                for one in self.chosen()
            ],
        }  # fmt: skip
