"""Train autoencoders on images, use them, and look into data and runs.

Run it as `autoencoders COMMAND` (or `python flows/cli.py COMMAND`); `--help` explains each command.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import Progress

from autoencoders.settings import REFERENCE, apply_preset
from flows.catalogue import METHODS
from flows.champion_commands import Json, add_commands
from flows.denoise import app as denoise_app
from flows.export import app as export_app
from flows.full import app as full_app
from flows.full import pipeline
from flows.inspect_data import inspect_data
from flows.options import (
    ARTIFACTS,
    SAMPLE,
    Artifacts,
    Data,
    Folder,
    Preset,
    SettingsOptions,
    run_command,
)
from flows.tables import print_json, print_rows, warner
from tasks.engine.errors import AliasDamagedError, DamagedError, RunNotFoundError, StoreError
from tasks.engine.explain import (
    Explanation,
    estimate,
    estimated_total,
    explain_key,
    explain_plan,
)
from tasks.engine.gc import collect_garbage
from tasks.engine.journal import RunRecord, StepRecord
from tasks.engine.logs import Warn
from tasks.engine.published import all_runs, find_run, read_published
from tasks.engine.runner import Planner, input_refs
from tasks.engine.saving import save_run
from tasks.engine.store import Store
from tasks.engine.verify import verify_aliases, verify_store
from tasks.find_files import find_files
from tasks.resolve import resolve_settings

Run = Annotated[str, Parameter(help="A run: its name, the end of its name, or latest.")]

MAIN_JOB = ("full", "")
"""Names that its flow has in records; earlier versions recorded none."""

app = App(name="autoencoders", help=__doc__)
app.command(full_app, name="run")
app.command(denoise_app, name="denoise")
app.command(export_app, name="export")
add_commands(app)


@app.command
def inspect(
    data: Data,
    *,
    settings: SettingsOptions = REFERENCE,
    sheet: Annotated[
        Folder | None, Parameter(help="Where to write the first images, as a PNG file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is recognised in a file or folder of images, and why; run nothing."""
    inspect_data(data, settings, sheet=sheet, as_json=as_json)


@app.command
def plan(
    *,
    data: Data = SAMPLE,
    preset: Preset = "reference",
    artifacts: Artifacts = ARTIFACTS,
    settings: SettingsOptions = REFERENCE,
    as_json: Json = False,
) -> None:
    """Show what the main job with the same options would compute, why, and what that cost the
    last time; run nothing."""
    store = Store(artifacts)
    planner = Planner(store)
    resolved = resolve_settings(apply_preset(preset, settings))
    pipeline(planner, input_refs(find_files(data)), resolved)
    earlier = all_runs(store, warner())
    costs = [estimate(store, step, earlier) for step in planner.steps]
    rows = [
        {
            "step": step.label,
            "state": step.state,
            "last s": None if cost is None else cost.seconds,
            "last MB": None if cost is None else round(cost.size / 1e6, 2),
            "why": explain_plan(store, step, earlier),
        }
        for step, cost in zip(planner.steps, costs, strict=True)
    ]
    print_rows(rows, as_json=as_json)
    if not as_json:
        print(estimated_total(planner.steps, costs))


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
    store, warn = Store(artifacts), warner()
    record = find_run(store, run, warn)
    wanted = stage.replace("_", " ")
    steps = [step for step in record.steps if wanted in (step.step, step.stage.replace("_", " "))]
    if not steps:
        names = ", ".join(step.step for step in record.steps)
        raise RunNotFoundError(f"'{stage}': no such step in {record.name}.", f"There are: {names}.")
    earlier = [other for other in all_runs(store, warn) if other.name < record.name]
    found = [_explained(store, step, earlier) for step in steps]
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    for one in found:
        print(f"{one.label}: {one.reason if not one.differences else 'computed again, because of'}")
        if one.differences:
            print_rows([dataclasses.asdict(difference) for difference in one.differences])


@app.command
def runs(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """List all runs, oldest first: when, with what, how far they came, what they reached."""
    store, warn = Store(artifacts), warner()
    rows = []
    for record in all_runs(store, warn):
        if record.flow not in MAIN_JOB:
            continue
        computed = sum(step.state == "Completed" for step in record.steps)
        metrics = _metrics(store, record, warn) if record.state == "finished" else {}
        steps = _at(record.settings, "training", "steps") or None
        rows.append(
            {
                "run": record.name,
                "state": record.state,
                "epochs": None if steps else _at(record.settings, "training", "epochs"),
                "steps": steps,
                "noise": _at(record.settings, "noise", "factor"),
                "computed": f"{computed}/{len(record.steps)}",
                **{
                    f"{method.name} MSE": _at(metrics, method.name, "mse")
                    for method in METHODS
                    if method.trained
                },
                "message": record.message.partition("\n")[0],
            }
        )
    print_rows(rows, as_json=as_json)


@app.command
def compare(a: Run, b: Run, *, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """Show two finished runs side by side: the settings that differ, and all metrics."""
    store, warn = Store(artifacts), warner()
    first, second = find_run(store, a, warn), find_run(store, b, warn)
    rows: list[dict[str, Any]] = []
    settings = [_dotted(record.settings) for record in (first, second)]
    rows += [
        {"what": name, "A": settings[0].get(name), "B": settings[1].get(name), "change": None}
        for name in {**settings[0], **settings[1]}
        if settings[0].get(name) != settings[1].get(name)
    ]
    metrics = [_metrics(store, record, warn) for record in (first, second)]
    for method in METHODS:
        scores = [_at(one, method.name) or {} for one in metrics]
        for name in {**scores[0], **scores[1]}:
            value, other = _at(scores[0], name), _at(scores[1], name)
            change = None if value is None or other is None else other - value
            rows.append({"what": f"{method.name} {name}", "A": value, "B": other, "change": change})
    if not as_json:
        print(f"A: {first.name}\nB: {second.name}")
    print_rows(rows, as_json=as_json)


@app.command
def verify(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """Read every file again and remove what is damaged; the next run computes it anew."""
    store, warn = Store(artifacts), warner()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        damaged = verify_store(
            store, lambda done, total: bar.update(task, completed=done, total=total), warn
        )
    unsound = verify_aliases(store)
    print_rows([dataclasses.asdict(one) for one in [*damaged, *unsound]], as_json=as_json)
    if unsound:
        raise AliasDamagedError(unsound[0].problem)
    if damaged:
        raise DamagedError(
            f"{len(damaged)} damaged, and removed.",
            "The next run computes them anew.",
        )
    if not as_json:
        print(f"{len(list(store.artifacts()))} artifacts, all intact.")


@app.command
def gc(
    *,
    keep_last: Annotated[
        int,
        Parameter(
            validator=Number(gte=1),
            help="How many of the latest finished runs of each flow to keep, with all they use.",
        ),
    ],
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only say what would be removed.")
    ] = False,
    artifacts: Artifacts = ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Remove what is used neither by the latest finished runs nor by a run in progress."""
    freed = collect_garbage(Store(artifacts), keep_last, dry_run=dry_run, warn=warner())
    print_rows([dataclasses.asdict(one) for one in freed], as_json=as_json)
    if not as_json:
        total = sum(one.size for one in freed) / 1e6
        print(f"{total:,.1f} MB {'would be freed' if dry_run else 'freed'}.")


@app.command
def save(run: Run, folder: Annotated[Folder, Parameter(help="A new or empty folder.")], *,
         artifacts: Artifacts = ARTIFACTS) -> None:  # fmt: skip
    """Copy a finished run out of the artifacts, checked: to keep it or to hand it on.

    What is in `artifacts/latest` and `artifacts/runs` are links; `cp -r` of them copies nothing
    that can be opened elsewhere.
    """
    store = Store(artifacts)
    record = find_run(store, run, warner())
    print(f"{record.name} is in {save_run(store, record, folder)}")


def _explained(store: Store, step: StepRecord, earlier: list[RunRecord]) -> Explanation:
    if step.state == "Cached":
        return Explanation(step.step, "taken from the cache", [])
    try:
        parts = store.manifest(step.stage, step.key).parts
    except StoreError as error:
        return Explanation(step.step, f"what it was computed from is lost: {error.problem}", [])
    return explain_key(store, step.step, parts, earlier)


def _metrics(store: Store, record: RunRecord, warn: Warn) -> dict[str, Any]:
    """Return the metrics of a finished run; none, with a warning, if they cannot be read."""
    try:
        found = json.loads(read_published(store, record, "metrics.json"))
    except DamagedError as error:
        warn(f"{error.problem} The run's metrics are left out.")
        return {}
    return found if isinstance(found, dict) else {}


def _at(value: Any, *names: str) -> Any:
    """Return what nested mappings have under these names; None if they have nothing there."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _dotted(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        inner = _dotted(value) if isinstance(value, dict) else {"": value}
        flat.update({f"{name}.{key}".rstrip("."): item for key, item in inner.items()})
    return flat


def main() -> None:
    """Run the command line."""
    run_command(app)


if __name__ == "__main__":
    main()
