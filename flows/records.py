"""What commands read of finished runs of the main job."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from flows.catalogue import METHODS
from tasks.engine.errors import DamagedError, NotPublishedError
from tasks.engine.journal import RunRecord
from tasks.engine.logs import Warn, log_warning
from tasks.engine.published import read_published
from tasks.engine.store import Store

MAIN_JOB = ("full", "")
"""Names that its flow has in records; earlier versions recorded none."""


def metrics_of(store: Store, record: RunRecord, warn: Warn = log_warning) -> dict[str, Any]:
    """Return the metrics of a finished run; none, with a warning, if it has none or they cannot be
    read."""
    try:
        found = json.loads(read_published(store, record, "metrics.json"))
    except (DamagedError, NotPublishedError) as error:
        warn(f"{error.problem} The run's metrics are left out.")
        return {}
    return found if isinstance(found, dict) else {}


def at(value: Any, *names: str) -> Any:
    """Return what nested mappings have under these names; None if they have nothing there."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def data_name(record: RunRecord) -> str:
    """Return what the data of a run are called."""
    return folder_name(list(record.data.values()))


def folder_name(uris: Sequence[str]) -> str:
    """Return what the user's files are called together: the file, or the folder of them all."""
    paths = [PurePosixPath(unquote(urlsplit(uri).path)) for uri in uris]
    if len(paths) == 1:
        return paths[0].name
    return paths[0].parent.name if paths else ""


def duration(record: RunRecord) -> float | None:
    """Return for how many seconds a run has worked on its steps."""
    known = [step.seconds for step in record.steps if step.seconds is not None]
    return round(sum(known), 1) if known else None


def summarised(store: Store, record: RunRecord, ending: str, warn: Warn) -> dict[str, Any]:
    """Return a run of any job as a row; `ending` is what to say of it if nothing went wrong."""
    reached = record.state == "finished" and record.flow in MAIN_JOB
    metrics = metrics_of(store, record, warn) if reached else {}
    computed = sum(step.state == "Completed" for step in record.steps)
    steps = at(record.settings, "training", "steps") or None
    return {
        "run": record.name,
        "job": record.flow or MAIN_JOB[0],
        "state": record.state,
        "data": data_name(record),
        "seed": at(record.settings, "seed"),
        "epochs": None if steps else at(record.settings, "training", "epochs"),
        "steps": steps,
        "noise": at(record.settings, "noise", "factor"),
        "computed": f"{computed}/{len(record.steps)}",
        "took s": duration(record),
        **{
            f"{method.name} {title}": _rounded(at(metrics, method.name, metric), digits)
            for metric, title, digits in (("mse", "MSE", 5), ("psnr", "dB", 2))
            for method in METHODS
            if method.trained
        },
        "message": record.message.partition("\n")[0] or ending,
    }


def _rounded(value: Any, digits: int) -> float | None:
    return round(value, digits) if isinstance(value, float) else None
