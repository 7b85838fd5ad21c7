"""Train autoencoders on images, use them, and look into data and runs.

Run it as `autoencoders COMMAND` (or `python flows/cli.py COMMAND`); `--help` explains each command.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

import dataclasses
import shlex
import sys
import webbrowser
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import Progress

from autoencoders.settings import REFERENCE, apply_preset
from flows.champion import damaged_champions, endings
from flows.champion_commands import add_commands
from flows.denoise import app as denoise_app
from flows.experiment import app as experiment_app
from flows.explaining import explained, last_computed
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
    Json,
    Preset,
    SettingsOptions,
    run_command,
)
from flows.planning import print_plan
from flows.rates import app as rates_app
from flows.records import MAIN_JOB, summarised
from flows.tables import print_json, print_rows, warner
from tasks.engine.errors import (
    AliasDamagedError,
    DamagedError,
    RunNotFoundError,
    TargetDamagedError,
)
from tasks.engine.files import friendly_os_errors
from tasks.engine.gc import collect_garbage
from tasks.engine.handles import write_atomically
from tasks.engine.journal import run_folder
from tasks.engine.published import all_runs, find_run, read_published
from tasks.engine.runner import Planner, input_refs
from tasks.engine.saving import save_run
from tasks.engine.store import Store
from tasks.engine.verify import verify_aliases, verify_store
from tasks.find_files import find_files
from tasks.resolve import resolve_settings

if TYPE_CHECKING:
    from flows.comparison import Comparison

Run = Annotated[str, Parameter(help="A run: its name, the end of its name, or latest.")]

FOR_PROGRAMS = ("epochs", "steps", "noise", "computed", "MSE")
"""What only programs get of the list of runs: it has 80 columns for people, and a run is named by
what is special about its settings."""

app = App(name="autoencoders", help=__doc__)
app.command(full_app, name="run")
app.command(experiment_app, name="experiment")
app.command(rates_app, name="rates")
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
    print_plan(store, planner, as_json=as_json)


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
    found = [explained(store, step, earlier) for step in steps]
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    for one in found:
        print(f"{one.label}: {one.reason if not one.differences else 'computed again, because of'}")
        if one.differences:
            print_rows([dataclasses.asdict(difference) for difference in one.differences])
    if last := last_computed(earlier, steps):
        command = f"autoencoders explain {shlex.quote(stage)} --run {last.name}"
        print(f"Last computed in {last.name}: {command}")


@app.command
def runs(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """List all runs, oldest first: when, with what, how far they came, what they reached."""
    store, warn = Store(artifacts), warner()
    decided = endings(store)
    rows = [
        summarised(store, record, decided.get(record.name, ""), warn)
        for record in all_runs(store, warn)
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("No runs yet.")
    others = any(row["job"] not in MAIN_JOB for row in rows)
    hidden = FOR_PROGRAMS if others else (*FOR_PROGRAMS, "job")
    print_rows([{name: row[name] for name in row if not name.endswith(hidden)} for row in rows])


@app.command
def compare(
    a: Run,
    b: Run,
    *more: Run,
    html: Annotated[
        Folder | None, Parameter(help="Write a page with curves and images to this file.")
    ] = None,
    artifacts: Artifacts = ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Show finished runs side by side: the settings and metrics that differ, and whether B and the
    others are better than A, worse, or not told apart from it, image by image. --json prints all
    metrics."""
    from flows.comparison import Comparison  # it loads pandas, which the other commands do without

    store, warn = Store(artifacts), warner()
    found = Comparison(store, [find_run(store, name, warn) for name in (a, b, *more)], warn)
    if html is not None:  # first, since whoever reads the output may close it
        with friendly_os_errors(html.parent):
            write_atomically(html.absolute(), found.page().encode())
    if as_json:
        print_json(found.rows())
    else:
        _print_comparison(found)
    for doubt in found.doubts():
        warn(doubt)
    if html is not None and not as_json:
        print(html.absolute())


def _print_comparison(found: "Comparison") -> None:
    for letter, run in zip(found.letters, found.runs, strict=True):
        print(f"{letter}: {run.name}")
    rows, same = found.table()
    print_rows(rows)
    if same:
        print(f"{same} metrics are the same in {'both' if len(found.runs) == 2 else 'all'}.")
    for line in found.conclusions():
        print(line)


@app.command
def report(run: Run = "latest", *, artifacts: Artifacts = ARTIFACTS) -> None:
    """Open the report of a finished run in the browser, if there is one; print its path."""
    store = Store(artifacts)
    record = find_run(store, run, warner())
    read_published(store, record, "report.html")
    path = run_folder(store, record.name).absolute() / "report.html"
    if sys.stdout.isatty():
        webbrowser.open(path.as_uri())
    print(path)


@app.command
def verify(*, artifacts: Artifacts = ARTIFACTS, as_json: Json = False) -> None:
    """Read every file again and remove what is damaged; the next run recomputes it."""
    store, warn = Store(artifacts), warner()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        damaged = verify_store(
            store, lambda done, total: bar.update(task, completed=done, total=total), warn
        )
    unsound = verify_aliases(store)
    told = {one.problem for one in unsound}
    champions = [one for one in damaged_champions(store) if one.problem not in told]
    rows = [dataclasses.asdict(one) for one in [*damaged, *unsound, *champions]]
    print_rows(rows, as_json=as_json)
    if unsound:
        raise AliasDamagedError(unsound[0].problem)
    if champions:
        raise TargetDamagedError(champions[0].problem)
    if damaged:
        raise DamagedError(
            f"{len(damaged)} damaged, and removed.",
            "The next run recomputes them.",
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
        bool, Parameter(negative="", help="Only list what would be removed.")
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


def main() -> None:
    """Run the command line."""
    run_command(app)


if __name__ == "__main__":
    main()
