"""Looking into the artifacts: what would run, why it ran, which runs there are, what is damaged.

Run it as `autoencoders COMMAND` (or `python flows/cli.py COMMAND`); `--help` explains each command.
"""

if __name__ == "__main__":
    import checkout  # noqa: F401

import dataclasses
import json
import sys
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from autoencoders.settings import REFERENCE, apply_preset
from flows.catalogue import METHODS
from flows.full import pipeline
from flows.options import (
    ARTIFACTS,
    SAMPLE,
    Artifacts,
    Data,
    Preset,
    SettingsOptions,
    run_command,
)
from tasks.engine.errors import DamagedError, RunNotFoundError
from tasks.engine.explain import Explanation, explain_key, explain_plan
from tasks.engine.gc import collect_garbage
from tasks.engine.journal import RunRecord
from tasks.engine.published import all_runs, find_run, read_published
from tasks.engine.runner import Planner, input_refs
from tasks.engine.store import Store
from tasks.engine.verify import verify_store
from tasks.find_files import find_files
from tasks.precision import resolve_precision

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]
Run = Annotated[str, Parameter(help="A run: its name, the end of its name, or latest.")]

MAIN_JOB = ("full", "")
"""Names that its flow has in records; earlier versions recorded none."""

app = App(name="autoencoders", help=__doc__)


@app.command
def plan(
    *,
    data: Data = SAMPLE,
    preset: Preset = "reference",
    artifacts: Artifacts = ARTIFACTS,
    settings: SettingsOptions = REFERENCE,
    as_json: Json = False,
) -> None:
    """Show what the main job with the same options would compute, and why; run nothing."""
    store = Store(artifacts)
    planner = Planner(store)
    resolved = resolve_precision(apply_preset(preset, settings))
    pipeline(planner, input_refs(find_files(data)), resolved)
    earlier = all_runs(store)
    rows = [
        {"step": step.label, "state": step.state, "why": explain_plan(store, step, earlier)}
        for step in planner.steps
    ]
    _print(rows, as_json=as_json)


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
    """Say why a step of a run was computed again: what changed since the previous run."""
    store = Store(artifacts)
    record = find_run(store, run)
    wanted = stage.replace("_", " ")
    steps = [step for step in record.steps if wanted in (step.step, step.stage.replace("_", " "))]
    if not steps:
        names = ", ".join(step.step for step in record.steps)
        raise RunNotFoundError(f"{stage}: no such step in {record.name}.", f"There are: {names}.")
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
        if record.flow not in MAIN_JOB:
            continue
        computed = sum(step.state == "Completed" for step in record.steps)
        metrics = _metrics(store, record) if record.state == "finished" else {}
        rows.append(
            {
                "run": record.name,
                "state": record.state,
                "epochs": record.settings["training"]["epochs"],
                "noise": record.settings["noise"]["factor"],
                "computed": f"{computed}/{len(record.steps)}",
                **{
                    f"{method.name} MSE": metrics[method.name]["mse"] if metrics else None
                    for method in METHODS
                    if method.trained
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
    settings = [_dotted(record.settings) for record in (first, second)]
    rows += [
        {"what": name, "A": settings[0].get(name), "B": settings[1].get(name), "change": None}
        for name in {**settings[0], **settings[1]}
        if settings[0].get(name) != settings[1].get(name)
    ]
    metrics = [_metrics(store, record) for record in (first, second)]
    for method in METHODS:
        for name, value in metrics[0][method.name].items():
            other = metrics[1][method.name].get(name)
            change = None if value is None or other is None else other - value
            rows.append({"what": f"{method.name} {name}", "A": value, "B": other, "change": change})
    if not as_json:
        print(f"A: {first.name}\nB: {second.name}")
    _print(rows, as_json=as_json)


@app.command
def verify(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """Read every file again and remove what is damaged; the next run computes it anew."""
    store = Store(artifacts)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        damaged = verify_store(
            store, lambda done, total: bar.update(task, completed=done, total=total)
        )
    _print([dataclasses.asdict(one) for one in damaged], as_json=as_json)
    if damaged:
        raise DamagedError(
            f"{len(damaged)} damaged; they were removed.", "The next run computes them anew."
        )
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


def _metrics(store: Store, record: RunRecord) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads(read_published(store, record, "metrics.json"))
    return metrics


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
        table.add_row(*(_formatted(row[name]) for name in shown))
    Console(highlight=False, markup=False).print(table)


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=1)
    print()


def _formatted(value: Any) -> str:
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
