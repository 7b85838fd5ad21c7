"""Looking into the artifacts: what would run, why it ran, which runs there are, is all intact.

Run it as `autoencoders COMMAND` (or `python flows/cli.py COMMAND`); `--help` explains each command.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script: this checkout's packages, wherever it is called from
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import dataclasses
import json
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from autoencoders.settings import SEED
from flows.full import ARTIFACTS, SAMPLE, pipeline
from flows.options import Artifacts, Data, Preset, SettingsOptions, over_preset, run_command
from tasks.explain import Explanation, explain_key
from tasks.hardware import settled
from tasks.ingest import find_files
from tasks.journal import RunRecord
from tasks.runs import SYSTEMS, all_runs, find_run, run_metrics
from tasks.steps import Planned, Planning
from tasks.store import Store, StoreError
from tasks.upkeep import collect_garbage, verify_store

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]
Run = Annotated[str, Parameter(help="A run: its name, the end of its name, or latest.")]

app = App(name="autoencoders", help=__doc__)


@app.command
def plan(
    *,
    data: Data = SAMPLE,
    preset: Preset = "seed",
    artifacts: Artifacts = ARTIFACTS,
    settings: SettingsOptions = SEED,
    as_json: Json = False,
) -> None:
    """Show what the main job with the same options would compute, and why; run nothing."""
    store = Store(artifacts)
    planning = Planning(store)
    pipeline(planning, find_files(data), settled(over_preset(preset, settings)))
    earlier = all_runs(store)
    rows = [
        {"step": step.label, "state": step.state, "why": _why(store, step, earlier)}
        for step in planning.steps
    ]
    _print(rows, as_json=as_json)


def _why(store: Store, step: Planned, earlier: list[RunRecord]) -> str:
    if step.state == "depends":
        return "computed, unless the steps before write the same bytes as an earlier run"
    if step.state == "cached" or step.parts is None:
        return ""
    return explain_key(store, step.label, step.parts, earlier).reason


@app.command
def explain(
    stage: Annotated[
        str, Parameter(help="A step (`train denoiser`) or a stage (`train`, all its steps).")
    ],
    *,
    run: Run = "latest",
    artifacts: Artifacts = ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Say why a step of a run was computed again: what changed since the run before."""
    store = Store(artifacts)
    record = find_run(store, run)
    wanted = stage.replace("_", " ")
    steps = [step for step in record.steps if wanted in (step.step, step.stage.replace("_", " "))]
    if not steps:
        names = ", ".join(step.step for step in record.steps)
        raise StoreError(f"{stage}: no such step in {record.name}. There are: {names}.")
    earlier = [other for other in all_runs(store) if other.name < record.name]
    found = []
    for step in steps:
        if step.state == "Cached":
            found.append(Explanation(step.step, "taken from the cache", []))
        else:
            parts = store.manifest(step.stage, step.key).parts
            found.append(explain_key(store, step.step, parts, earlier))
    if as_json:
        _print_json([dataclasses.asdict(one) for one in found])
        return
    for one in found:
        print(f"{one.label}: {one.reason if not one.differences else 'computed again, because of'}")
        if one.differences:
            _print([dataclasses.asdict(difference) for difference in one.differences])


@app.command
def runs(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """List all runs, oldest first: when, with what, how far they came, what they reached."""
    store = Store(artifacts)
    rows = []
    for record in all_runs(store):
        computed = sum(step.state == "Completed" for step in record.steps)
        metrics = run_metrics(store, record) if record.state == "finished" else {}
        rows.append(
            {
                "run": record.name,
                "state": record.state,
                "epochs": record.settings.training.epochs,
                "noise": record.settings.noise.factor,
                "computed": f"{computed}/{len(record.steps)}",
                **{
                    f"{system} MSE": metrics[system]["mse"] if metrics else None
                    for system in ("autoencoder", "denoiser")
                },
                "message": record.message.partition("\n")[0],
            }
        )
    _print(rows, as_json=as_json)


@app.command
def compare(a: Run, b: Run, *, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """Show two finished runs side by side: the settings that differ, and all metrics."""
    store = Store(artifacts)
    first, second = find_run(store, a), find_run(store, b)
    rows: list[dict[str, Any]] = []
    settings = [_dotted(record.settings.model_dump()) for record in (first, second)]
    rows += [
        {"what": name, "A": settings[0][name], "B": settings[1][name], "change": None}
        for name in settings[0]
        if settings[0][name] != settings[1][name]
    ]
    metrics = [run_metrics(store, record) for record in (first, second)]
    for system in SYSTEMS:
        for name, value in metrics[0][system].items():
            other = metrics[1][system][name]
            change = None if value is None or other is None else other - value
            rows.append({"what": f"{system} {name}", "A": value, "B": other, "change": change})
    if not as_json:
        print(f"A: {first.name}\nB: {second.name}")
    _print(rows, as_json=as_json)


@app.command
def verify(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """Read every file again and name what is damaged; the next run computes it anew."""
    store = Store(artifacts)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        damaged = verify_store(
            store, lambda done, total: bar.update(task, completed=done, total=total)
        )
    _print([dataclasses.asdict(one) for one in damaged], as_json=as_json)
    if damaged:
        raise StoreError(f"{len(damaged)} damaged. Run the pipeline again to compute them anew.")
    if not as_json:
        print(f"{len(list(store.artifacts()))} artifacts, all intact.")


@app.command
def gc(
    *,
    keep_last: Annotated[
        int,
        Parameter(
            validator=Number(gte=1), help="How many finished runs keep everything they used."
        ),
    ],
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only say what would be removed.")
    ] = False,
    artifacts: Artifacts = ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Remove what neither the last finished runs nor a run under way use."""
    freed = collect_garbage(Store(artifacts), keep_last, dry_run=dry_run)
    _print([dataclasses.asdict(one) for one in freed], as_json=as_json)
    if not as_json:
        total = sum(one.size for one in freed) / 1e6
        print(f"{total:,.1f} MB {'would be freed' if dry_run else 'freed'}.")


def _dotted(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        inner = _dotted(value) if isinstance(value, dict) else {"": value}
        flat.update({f"{name}.{key}".rstrip("."): item for key, item in inner.items()})
    return flat


def _print(rows: list[dict[str, Any]], *, as_json: bool = False) -> None:
    """Print rows as a table for people, or as JSON."""
    if as_json:
        _print_json(rows)
        return
    if not rows:
        return
    shown = [name for name in rows[0] if any(row[name] not in ("", None) for row in rows)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        number = any(isinstance(row[name], int | float) for row in rows)
        table.add_column(
            name.replace(" ", "\n"), justify="right" if number else "left", overflow="fold",
            no_wrap=number or name in ("state", "step", "kind"),
        )  # fmt: skip
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in shown))
    Console(highlight=False, markup=False).print(table)


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=1)
    print()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """Run the command line."""
    run_command(app)


if __name__ == "__main__":
    main()
