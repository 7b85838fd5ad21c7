"""MLflow, where a machine's owner wants it: a mirror of finished runs, networks and the champion.

What is true is in the store; MLflow is told of it after each run, and of all that it has missed.
That happens in a process of its own (`flows/ops/mirroring.py`): this one, which may be somebody's
notebook, never imports MLflow or changes its settings, and nothing that goes wrong there, or takes
too long, is the fault of a run.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from autoencoders.errors import PipelineError
from tasks.engine.errors import EngineError
from tasks.engine.files import friendly_os_errors
from tasks.engine.logs import run_logger
from tasks.engine.store import Store

MLFLOW = "AUTOENCODERS_MLFLOW"
"""Environment variable: the URI of an MLflow server or database, or `on` for the one that
MLFLOW_TRACKING_URI names, without it a database in the artifacts folder. By default none."""
TRACKING_URI = "MLFLOW_TRACKING_URI"
ON = "on"
ROOM = "mlflow"
"""Folder in the store for the database and the files that belong to it."""
HOME = Path(__file__).resolve().parents[2]
PATIENCE = 600
"""Seconds that it may take; the next time it goes on where it was."""
LONGEST = 300
"""Characters of a reason that are shown."""
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # else it reports its use to its makers
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""How long MLflow waits for a server; its own values add up to many minutes."""


@dataclass(frozen=True)
class Mirrored:
    """What MLflow was told."""

    uri: str
    """Of MLflow; a password in it is left out."""
    recorded: tuple[str, ...]
    """The runs that it did not have, or only in part."""
    aliases: Mapping[str, str]
    """What each alias names: the run whose network it is."""
    warnings: tuple[str, ...]
    """What it could not be told of."""


def registry_of_machine() -> str:
    """Return the value of the variable: a URI, `on`, or nothing if there is no registry.

    Raises:
        PipelineError: If it is neither, or MLflow is not installed.
    """
    value = os.environ.get(MLFLOW, "").strip()
    if not value or value.lower() == "off":
        return ""
    if value.lower() != ON and not urlsplit(value).scheme:
        raise PipelineError(
            f"{MLFLOW}={value}: expected `on` or a URI, such as http://127.0.0.1:5000 or "
            "sqlite:////srv/mlflow.db.",
            "Correct it, or unset it.",
        )
    require_mlflow(f"{MLFLOW} is set, but")
    return ON if value.lower() == ON else value


def require_mlflow(why: str) -> None:
    """Refuse to go on without MLflow.

    Raises:
        PipelineError: If it is not installed.
    """
    found = importlib.util.find_spec("mlflow")  # without importing it
    if found is None or found.origin is None:
        raise PipelineError(
            f"{why} MLflow is not installed.".strip(),
            "Install it (`make mlflow`, or `pip install 'autoencoder-pipeline[mlflow]'`)"
            + (f", or unset {MLFLOW}." if why else "."),
        )


def keep_up(value: str, store: Store) -> None:
    """Tell MLflow what the store has now; if that fails, it is a line in the log.

    Args:
        value: A URI, or `on`.
        store: Which store.
    """
    log = run_logger()
    log.info("Telling MLflow.")
    try:
        told = mirror(value, store)
    except (PipelineError, EngineError) as error:
        log.warning("%s The next run catches up.", error.problem)
        return
    for warning in told.warnings:
        log.warning("%s", warning)
    log.info("MLflow (%s) is up to date; new there: %s.", told.uri, len(told.recorded))


def mirror(value: str, store: Store) -> Mirrored:
    """Tell MLflow what the store has now.

    Args:
        value: A URI, or `on`.
        store: Which store.

    Returns:
        What was new to it.

    Raises:
        PipelineError: If it was not told everything; it is told the rest the next time.
    """
    uri = address(value, store)
    problem = f"MLflow ({shown(uri)}) is not up to date"
    try:
        done = subprocess.run(  # noqa: S603  # our own command
            [sys.executable, "-P", "-m", "flows.ops.mirroring", str(store.root), uri],
            env=_environment(uri), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PipelineError(f"{problem}: it took more than {PATIENCE} seconds.") from error
    except OSError as error:
        raise PipelineError(f"{problem}: {error.strerror}.") from error
    answer = _answer(done)
    if "error" in answer:
        raise PipelineError(f"{problem}: {answer['error']}")
    return Mirrored(
        shown(uri), tuple(answer["recorded"]), answer["aliases"], tuple(answer["warnings"])
    )


def address(value: str, store: Store) -> str:
    """Return the URI that is meant."""
    if value != ON:
        return value
    with friendly_os_errors(store.root):
        return os.environ.get(TRACKING_URI) or f"sqlite:///{store.room(ROOM) / 'mlflow.db'}"


def shown(uri: str) -> str:
    """Return a URI without user and password."""
    _, at, place = uri.rpartition("@")
    return f"{urlsplit(uri).scheme}://{place}" if at else uri


def _environment(uri: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))
    return {**LIMITS, **os.environ, **QUIET, TRACKING_URI: uri, "PYTHONPATH": path}


def _answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what the process has found out; of one that broke off, its last words."""
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().rpartition("\n")[2] or f"it ended with code {done.returncode}."
        return {"error": last[:LONGEST]}
    return answer
