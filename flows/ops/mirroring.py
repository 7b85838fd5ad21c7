"""Tell MLflow what a store has: `python -m flows.ops.mirroring STORE URI`, as `registry.py` does.

Whatever it was told of before is found again by digests, so nothing is there twice, and a process
that was killed leaves nothing that the next one does not complete. Only one at a time writes for a
store. The answer is a line of JSON on standard output.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from flows.champion import CHAMPION, NETWORK
from flows.ops.mlflow_writer import Writer
from flows.ops.registry import LONGEST, shown
from flows.recorded import record_digest, recorded_run
from flows.records import MAIN_JOB
from tasks.engine.aliases import Alias
from tasks.engine.decisions import Decision
from tasks.engine.errors import EngineError
from tasks.engine.journal import finished_runs
from tasks.engine.locks import try_lock, unlock
from tasks.engine.store import Store
from tasks.engine.waiting import erase, holder, sign, wait_for

CHALLENGER = "challenger"
ANSWER_SECONDS = 10
"""How long a server may take to answer at all."""


def main() -> None:
    """Tell MLflow of the store that is named on the command line."""
    root, uri = sys.argv[1:]
    answer_to, sys.stdout = sys.stdout, sys.stderr  # MLflow writes to standard output, too
    try:
        _require_answer(uri)
        answer = mirror_store(Store(Path(root)), uri)
    except Exception as error:  # whatever happens there is told in a line
        answer = {"error": _in_a_line(error)}
    print(json.dumps(answer), file=answer_to)


def mirror_store(store: Store, uri: str) -> dict[str, Any]:
    """Record every run that is missing, then let the aliases follow our own.

    Args:
        store: Which store.
        uri: Of MLflow; its database is made if it is missing.

    Returns:
        `recorded`, the new runs; `aliases`, by alias the run whose network it names; `warnings`.
    """
    warnings: list[str] = []
    lock = store.root / "locks" / "mirror"
    held = wait_for(
        lambda: try_lock(lock), lambda: f"Waiting to write to MLflow: {holder(lock)}.", print,
        pause=0.2,
    )  # fmt: skip
    assert held is not None
    sign(held)
    try:
        writer = Writer(uri, store.root)
        recorded = _record_runs(store, writer, warnings)
        aliases = _follow(store, writer, warnings)
        return {"recorded": recorded, "aliases": aliases, "warnings": warnings}
    finally:
        erase(held)
        unlock(lock, held)


def _record_runs(store: Store, writer: Writer, warnings: list[str]) -> list[str]:
    """Record the runs that MLflow does not have, or only in part; return their names."""
    decisions = {one.by: one for one in Alias(store, CHAMPION).readable() if one.by}
    known, recorded = writer.recorded(), []
    for record in finished_runs(store, warnings.append):
        decision = decisions.get(record.name)
        if record.flow not in MAIN_JOB and decision is None:
            continue  # nothing was decided by it, or it is no training
        try:
            if record_digest(store, record) not in known:
                writer.record(recorded_run(store, record, decision))
                recorded.append(record.name)
        except (EngineError, FileNotFoundError) as error:  # somebody may be removing it
            warnings.append(f"{record.name} was not written to MLflow: {_in_a_line(error)}")
    return recorded


def _follow(store: Store, writer: Writer, warnings: list[str]) -> dict[str, str]:
    """Let the aliases of MLflow name what the decisions say; return the runs that they name."""
    ours = Alias(store, CHAMPION)
    ours.current()  # where that is not known, nothing follows
    decisions = list(ours.readable())
    if not decisions:
        return {}
    wanted = {CHAMPION: _champion(decisions), CHALLENGER: _challenger(decisions)}
    digests = {alias: network and network[1] for alias, network in wanted.items()}
    missing = writer.name_versions(Path(NETWORK).stem, digests, decisions[-1].digest)
    named = {alias: network[0] for alias, network in wanted.items() if network}
    warnings += [
        f"MLflow has no {alias}: it does not have the network of {run}."
        for alias, run in named.items() if alias in missing
    ]  # fmt: skip
    return {alias: run for alias, run in named.items() if alias not in missing}


def _champion(decisions: Sequence[Decision]) -> tuple[str, str] | None:
    """Return the run and the sha256 of the champion's network; decisions are newest first."""
    targets = (one.target for one in decisions if one.target is not None)
    return next(((one.run, one.files[NETWORK]) for one in targets), None)


def _challenger(decisions: Sequence[Decision]) -> tuple[str, str] | None:
    """Return the same of the newest network that was refused, if there is one since the champion
    became champion."""
    for one in decisions:
        if one.target is not None:
            return None
        if network := one.facts.get("challenger"):
            return one.by, network
    return None


def _require_answer(uri: str) -> None:
    """Ask a server whether it is there, once and without a password.

    MLflow itself asks for minutes.
    """
    if urlsplit(uri).scheme in ("http", "https"):
        try:  # whoever answers and whatever: nothing is told, nothing is believed
            httpx.get(shown(uri), timeout=ANSWER_SECONDS, verify=False)  # noqa: S501
        except httpx.HTTPError as error:
            raise ConnectionError(
                f"it does not answer ({error or type(error).__name__})."
            ) from error


def _in_a_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= LONGEST else f"{lines[0][:LONGEST]}…"


if __name__ == "__main__":
    main()
