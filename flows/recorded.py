"""What a registry of experiments is told of a finished run: plain values, and its files."""

import csv
import datetime
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from flows.catalogue import METHODS, METRICS
from flows.nights import checks_table, drift_table
from flows.records import duration
from flows.results import markdown_table, metrics_table
from tasks.engine.decisions import Decision
from tasks.engine.errors import DamagedError
from tasks.engine.files import read_file, sha256_of
from tasks.engine.journal import RECORD, RunRecord, run_folder
from tasks.engine.published import published_files, published_inputs, read_published
from tasks.engine.store import Store

UNSHOWN = ("evidence/", "models/")
"""Files in the folder of a run that are for later runs, or recorded as networks."""
EVERY_IMAGE = "per_image.parquet"
Curve = tuple[str, float, int]
"""Name, value and step of a metric; epochs count from 1, and 0 is the whole run."""


@dataclass(frozen=True)
class Network:
    """A network of a run."""

    path: Path
    sha256: str
    key: str
    """Of the step that trained it, as in its run's `run.json`."""
    text: str
    """How good it is, in a line."""


@dataclass(frozen=True)
class RecordedRun:
    """A finished run, as far as others are told of it."""

    title: str
    """What is special about it; its name begins with when it was."""
    digest: str
    """sha256 of its record, by which it is found again."""
    started: int
    """Milliseconds since 1970."""
    ended: int
    text: str
    """What it found, in Markdown."""
    shape: tuple[int, ...]
    """Of its images: height, width, channels; nothing if that was not recorded."""
    settings: dict[str, str]
    metrics: list[Curve]
    tags: dict[str, str]
    data: dict[str, tuple[str, str]]
    """By role of the user's files, the name and the sha256."""
    files: dict[str, Path]
    """By place in its folder, those that people read."""
    networks: dict[str, Network] = field(default_factory=dict)


def record_digest(store: Store, record: RunRecord) -> str:
    """Return by what a finished run is found again.

    Raises:
        DamagedError: If its record is gone.
    """
    path = run_folder(store, record.name) / RECORD
    try:
        return sha256(read_file(path)).hexdigest()
    except OSError as error:
        raise DamagedError(f"{path}: missing or not readable.") from error


def recorded_run(store: Store, record: RunRecord, decision: Decision | None) -> RecordedRun:
    """Read what others are told of a finished run.

    Args:
        store: Where it is.
        record: Its record.
        decision: What it decided; None of a run of the main job.

    Raises:
        DamagedError: If a file is gone, or not what the run has published.
    """
    folder, published = run_folder(store, record.name), published_files(store, record)
    begun = datetime.datetime.fromisoformat(record.started)
    ended = begun + datetime.timedelta(seconds=duration(record) or 0)
    inputs = published_inputs(store, record)
    metrics = {} if decision else _json(store, record, "metrics.json")
    rules = decision.facts.get("retrain", {}) if decision else {}
    return RecordedRun(
        title=record.name.split("-", 2)[2],
        digest=record_digest(store, record),
        started=int(begun.timestamp() * 1000),
        ended=int(ended.timestamp() * 1000),
        text=_of_decision(decision) if decision else _of_metrics(metrics),
        shape=tuple(_json(store, record, "inspection.json").get("shape", ())),
        settings=dict(_flat({**record.settings, "retrain": rules})),
        metrics=[
            *_curves(store, record),
            *(_gains(decision) if decision else _scores(metrics)),
        ],
        tags=_tags(record, decision, {name: one.sha256 for name, one in inputs.items()}),
        data={
            role: (_file_name(record, role), entry.sha256) for role, entry in inputs.items()
        },
        files=_files(folder),
        networks=_networks(
            record, folder, {place: one.sha256 for place, one in published.items()},
            lambda name: _decided(decision) if decision else _score(metrics, name),
        ),
    )  # fmt: skip


def _json(store: Store, record: RunRecord, place: str) -> dict[str, Any]:
    """Return what a file of a run holds; nothing if the version that made it had no such file."""
    if place not in published_files(store, record):
        return {}
    found: dict[str, Any] = json.loads(read_published(store, record, place))
    return found


def _flat(settings: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by the name of their option."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", value if isinstance(value, str) else json.dumps(value)


def _curves(store: Store, record: RunRecord) -> Iterator[Curve]:
    """Yield the losses of each network after each epoch."""
    for place in published_files(store, record):
        if place.startswith("history/"):
            rows = csv.DictReader(io.StringIO(read_published(store, record, place).decode()))
            for row in rows:
                for name in ("loss", "val_loss"):
                    yield f"{Path(place).stem}/{name}", float(row[name]), int(row["epoch"])


def _scores(metrics: Mapping[str, Any]) -> Iterator[Curve]:
    """Yield what each method reached on the test images; of networks with the ends of intervals.

    MLflow draws a chart of each, grouped by what is before the slash.
    """
    for metric in METRICS:
        for method in METHODS:
            found = metrics.get(method.name, {})
            if found.get(metric.name) is not None:
                yield f"{metric.name}/{method.name}", found[metric.name], 0
            ends = found.get(f"{metric.name}_interval") if method.trained else None
            for end, value in zip(("low", "high"), ends or (), strict=False):
                yield f"{metric.name}/{method.name} {end}", value, 0


def _gains(decision: Decision) -> Iterator[Curve]:
    """Yield what was decided by: the gains and their intervals, classes apart, and the drift."""
    for check in decision.facts["checks"]:
        if not check["what"].startswith("class "):
            for name, key in (
                ("", "gain"),
                (" low", "low"),
                (" high", "high"),
                (" margin", "least"),
            ):
                if check[key] is not None:
                    yield f"gain/{check['what']}{name}", check[key], 0
    for one in decision.facts["drift"]:
        for name in ("ks", "psi"):
            if one[name] is not None:
                yield f"drift/{one['measure']} {name}", one[name], 0


def _tags(
    record: RunRecord, decision: Decision | None, inputs: Mapping[str, str]
) -> dict[str, str]:
    found = {"run": record.name, "job": record.flow or "full", **inputs}
    if decision is None:
        return found
    drifted = [one["measure"] for one in decision.facts["drift"] if one["drifted"]]
    return {
        **found,
        "decision": decision.event,
        "decision.number": str(decision.number),
        "decision.sha256": decision.digest,
        **({"drift": ", ".join(drifted)} if drifted else {}),
    }


def _decided(decision: Decision) -> str:
    return f"{decision.event.capitalize()}: {' '.join(decision.facts['reasons'])}"


def _score(metrics: Mapping[str, Any], network: str) -> str:
    """Say in a line what a network reached on the test images."""
    row = next((one for one in metrics_table(metrics) if one["method"] == network), None)
    if row is None:
        return ""
    return ", ".join(f"{one.title} {row[one.title]}" for one in METRICS) + " on the test images"


def _of_metrics(metrics: Mapping[str, Any]) -> str:
    rows = metrics_table(metrics)
    return "\n".join(markdown_table(rows)) if rows else ""


def _of_decision(decision: Decision) -> str:
    facts = decision.facts
    tables = [checks_table(facts["checks"]), drift_table(facts["drift"])]
    return "\n".join([
        f"**{decision.event.capitalize()}**", "", *(f"- {reason}" for reason in facts["reasons"]),
        *(line for rows in tables if rows for line in ("", *markdown_table(rows))),
    ])  # fmt: skip


def _file_name(record: RunRecord, role: str) -> str:
    return Path(record.data[role]).name if role in record.data else role


def _files(folder: Path) -> dict[str, Path]:
    """Return the files of a run that people read; links to artifacts are followed."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))}
    return {
        place: path
        for place, path in found.items()
        if path.is_file() and not place.startswith(UNSHOWN) and place != EVERY_IMAGE
    }


def _networks(
    record: RunRecord, folder: Path, digests: Mapping[str, str], describe: Callable[[str], str]
) -> dict[str, Network]:
    """Return the networks of a run, read through and compared.

    Raises:
        DamagedError: If one is not what the run has published.
    """
    found = {}
    keys = {one.key for one in record.steps if one.stage == "train"}
    for place, digest in digests.items():
        path = folder / place
        if path.suffix == ".keras":
            try:
                intact = sha256_of(path) == digest
            except OSError as error:
                raise DamagedError(f"{path}: missing or not readable.") from error
            if not intact:
                raise DamagedError(f"{path}: changed after it was published.")
            key = path.resolve().parent.name
            found[path.stem] = Network(
                path, digest, key if key in keys else "", describe(path.stem)
            )
    return found
