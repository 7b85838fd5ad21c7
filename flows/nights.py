"""What people read of a retraining: how it ended and why, and what became of all before it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.champion import CHAMPION, PROMOTED, champion_of
from flows.inspection import inspection_table, read_inspection
from tasks.engine.aliases import Alias
from tasks.engine.decisions import Decision
from tasks.engine.handles import ArtifactRef
from tasks.engine.journal import run_folder
from tasks.engine.pages import Page, embedded
from tasks.engine.store import Store

NOTHING_NEW = "nothing new"
MOST_NIGHTS = 60
"""Decisions that the story shows, the newest ones."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Night:
    """How a retraining ended."""

    event: str
    """promoted, refused, stopped or nothing new."""
    run: str
    """The run that decided; of nothing new, the one that decided about the same before."""
    facts: Mapping[str, Any]
    """The evidence."""
    folder: Path | None
    """The folder of that run."""
    rows: Sequence[Row] = ()
    """All decisions, this one too."""
    champion: str | None = None
    """The champion before; None if there was none."""
    files: Mapping[str, ArtifactRef] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """Why, in words."""
        return list(self.facts["reasons"])

    def summary(self) -> str:
        """Return in a line or two how it ended."""
        now = self.run if self.event == PROMOTED else self.champion
        stays = f"The champion is {now}." if now else "There is no champion yet."
        if self.event == NOTHING_NEW:
            before = f"{self.run} has decided about the same data and settings"
            return f"Nothing new: {before} ({self.facts['before']}). {stays}"
        return f"{self.event.capitalize()}: {' '.join(self.reasons)} {stays}"

    def notice(self) -> dict[str, Any]:
        """Return what a webhook is told."""
        return {
            "text": f"Retraining {self.run}: {self.summary()}",
            "flow": "retrain",
            "run": self.run,
            "state": self.event,
            "message": " ".join(self.reasons),
            "drift": [one["measure"] for one in self.facts["drift"] if one["drifted"]],
        }

    def decision_file(self) -> str:
        """Return `decision.json`: the evidence."""
        return json.dumps({"event": self.event, **self.facts}, indent=1, ensure_ascii=False) + "\n"

    def text(self, figure: str = "![nights](figures/nights.png)") -> str:
        """Return the retraining in Markdown."""
        warnings = [line for text in self.warnings() for line in (f"> **Warning:** {text}", "")]
        lines = [
            f"# Retraining: {self.event}", "", *warnings,
            *(f"- {reason}" for reason in self.reasons), "",
            self._images(), "",
            *_table(f"Challenger against {self._rival()}", checks_table(self.facts["checks"])),
            *_table("Drift from the champion's data", drift_table(self.facts["drift"])),
            *_table("All decisions, newest first", story_table(self.rows)),
            figure, "",
        ]  # fmt: skip
        return "\n".join(lines)

    def warnings(self) -> list[str]:
        """Return what is odd about the data or the challenger."""
        found = [ref for name, ref in self.files.items() if name.endswith("inspection.json")]
        texts = [one["text"] for ref in found for one in read_inspection(ref)["warnings"]]
        return [*texts, *self.facts["warnings"]]

    def _rival(self) -> str:
        return "the champion" if self.champion else "the noisy images, as there is no champion yet"

    def _images(self) -> str:
        counts = self.facts["images"]
        return (
            f"{counts['images']:,} test images: {counts['seen']:,} were left out because champion "
            f"or challenger has seen them, {counts['copies']:,} because they are copies; compared "
            f"on {counts['left']:,}."
        )

    def pages(self) -> list[Page]:
        """Return what Prefect's pages show."""
        if self.event == NOTHING_NEW:
            return [
                Page("summary", "How the retraining ended", f"# Nothing new\n\n{self.summary()}")
            ]
        figure = embedded([self.files["figures/nights.png"]])
        found = read_inspection(self.files["inspection.json"])
        return [
            Page("summary", "How the retraining ended, and all before it", self.text(figure)),
            Page("decisions", "All decisions, newest first", story_table(self.rows)),
            Page("data", "What was recognised in the data", inspection_table(found)),
        ]


def nothing_new(store: Store, given: str) -> Night | None:
    """Say that a retraining has decided about the same; None if none has.

    Not the last one alone: else data that come back, or two schedules with settings of their own,
    would be decided about every night, and bring back what was rolled back by hand.
    """
    decisions = Alias(store, CHAMPION).readable()
    last = next((one for one in decisions if one.facts.get("given") == given), None)
    if last is None:
        return None
    champion = champion_of(store)  # also says if it is damaged
    folder = run_folder(store, last.by)
    return Night(NOTHING_NEW, last.by, {"reasons": [], "drift": [], "before": last.event},
                 folder if folder.exists() else None,
                 champion=champion.run if champion else None)  # fmt: skip


def story(alias: Alias, run: str, event: str, facts: Mapping[str, Any]) -> list[Row]:
    """Return the last decisions and this one, oldest first, as JSON values."""
    rows, champion = [], ""
    for one in reversed(list(alias.readable())):
        champion = one.target.run if one.target else champion
        rows.append(_row(_date(one), one.by, one.event, one.facts, champion))
    champion = run if event == PROMOTED else champion
    rows.append(_row(_date_of_run(run), run, event, facts, champion))
    return rows[-MOST_NIGHTS:]


def _row(date: str, run: str, event: str, facts: Mapping[str, Any], champion: str) -> Row:
    check: Mapping[str, Any] = next(iter(facts.get("checks", [])), {})
    drift = facts.get("drift", [])
    return {
        "date": date,
        "run": run,
        "event": event,
        "gain": check.get("gain"),
        "low": check.get("low"),
        "high": check.get("high"),
        "margin": check.get("least"),
        "psi": max((one["psi"] for one in drift), default=None),
        "ks": max((one["ks"] for one in drift if one["ks"] is not None), default=None),
        "drifted": [one["measure"] for one in drift if one["drifted"]],
        "reasons": list(facts.get("reasons", [])),
        "champion": champion,
    }


def _date(one: Decision) -> str:
    return _date_of_run(one.by) if one.by else one.at[:16].replace("T", " ")


def _date_of_run(run: str) -> str:
    return f"{run[:4]}-{run[4:6]}-{run[6:8]} {run[9:11]}:{run[11:13]}"


def story_table(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return decisions as rows of text, newest first."""
    return [
        {
            "date": one["date"],
            "decided": one["event"],
            "gain (dB)": _interval(one),
            "drift": f"{_number(one['psi'])} PSI, {_number(one['ks'])} KS"
            + (f" ({', '.join(one['drifted'])})" if one["drifted"] else ""),
            "why": " ".join(one["reasons"]),
            "champion": one["champion"] or "none",
        }
        for one in reversed(rows)
    ]


def checks_table(checks: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return comparisons as rows of text."""
    words = {True: "passed", False: "failed", None: "too few images"}
    return [
        {
            "what": one["what"],
            "images": f"{one['images']:,}",
            "gain": f"{one['gain']:+.4f}" if one["what"] == "SSIM" else _interval(one),
            "must exceed": _number(one["least"]),
            "": words[one["passed"]],
        }
        for one in checks
    ]


def drift_table(drift: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return measures of drift as rows of text."""
    return [
        {
            "measure": one["measure"],
            "before": _number(one["before"]),
            "now": _number(one["now"]),
            "KS": _number(one["ks"]),
            "PSI": _number(one["psi"]),
            "": "drifted" if one["drifted"] else "",
        }
        for one in drift
    ]


def _table(title: str, rows: Sequence[Mapping[str, str]]) -> list[str]:
    if not rows:
        return []
    return [
        f"## {title}", "", "| " + " | ".join(rows[0]) + " |", "| --- " * len(rows[0]) + "|",
        *("| " + " | ".join(row.values()) + " |" for row in rows), "",
    ]  # fmt: skip


def _interval(one: Mapping[str, Any]) -> str:
    if one["gain"] is None:
        return "-"
    if one["low"] is None:
        return f"{one['gain']:+.2f}"
    return f"{one['gain']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
