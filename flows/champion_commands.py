"""`autoencoders retrain`, `champion`, `rollback` and `mlflow`."""

from typing import Annotated

from cyclopts import App, Parameter

from flows.champion import CHAMPION, NETWORK, require_champion, roll_back
from flows.ops.machine import operations
from flows.ops.registry import ON, mirror, registry_of_machine, require_mlflow
from flows.options import ARTIFACTS, Artifacts, Json
from flows.retrain import app as retrain_app
from flows.tables import print_json, print_rows, warner
from tasks.engine.aliases import Alias
from tasks.engine.journal import run_folder
from tasks.engine.store import Store


def champion(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """Show which network is the champion, since when, and why."""
    store = Store(artifacts)
    alias, found = Alias(store, CHAMPION), require_champion(store)
    decision = next(one for one in alias.readable() if one.number == found.number)
    former = [one.target.run for one in alias.readable()
              if one.target is not None and one.number < found.number]  # fmt: skip
    shown = {
        "run": found.run,
        "sha256": found.sha256,
        "file": str(run_folder(store, found.run) / NETWORK),
        "since": decision.at,
        "decision": decision.number,
        "event": decision.event,
        "former": list(dict.fromkeys(run for run in former if run != found.run)),
    }
    if as_json:
        print_json({**shown, "evidence": decision.facts})
        return
    print_rows([{"what": name, "champion": _text(value)} for name, value in shown.items()])
    for reason in decision.facts.get("reasons", []):
        print(f"\n{reason}")


def rollback(
    *,
    to: Annotated[
        str | None,
        Parameter(
            help="The run of a former champion, or the end of its name; by default the one before "
            "the present champion."
        ),
    ] = None,
    artifacts: Artifacts = ARTIFACTS,
) -> None:
    """Make a former champion the champion again, at once: the same network, byte for byte."""
    machine, store = operations(), Store(artifacts)
    decision = roll_back(store, to)
    assert decision.target is not None
    print(f"The champion is {decision.target.run}, sha256 {decision.target.files[NETWORK]}.")
    machine.mirror(store)


def mlflow(*, artifacts: Artifacts = ARTIFACTS) -> None:
    """Tell MLflow of every finished run that it does not have, and which network is the champion.

    Which MLflow, AUTOENCODERS_MLFLOW or MLFLOW_TRACKING_URI says; else a database in the artifacts
    folder. With AUTOENCODERS_MLFLOW, each run does this at its end.
    """
    require_mlflow("")
    store = Store(artifacts)
    told = mirror(registry_of_machine() or ON, store)
    for text in told.warnings:
        warner()(text)
    print(f"MLflow ({told.uri}) is up to date; new there: {', '.join(told.recorded) or 'none'}.")
    for alias, run in told.aliases.items():
        print(f"The {alias} is {run}.")


def add_commands(app: App) -> None:
    """Make all of them commands of `app`."""
    app.command(retrain_app, name="retrain")
    app.command(champion)
    app.command(rollback)
    app.command(mlflow)


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
