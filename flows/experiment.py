"""An experiment: one network is trained with many settings, and the best are told from the rest.

Run it with `python flows/experiment.py --grid training.learning_rate=1e-3,3e-4 --seeds 3`, or with
`--search 20 --space training.learning_rate=1e-4..1e-2:log`. Each point is a cached training of the
main job; the choice is made by validation alone, and what was chosen is scored on the test images.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

from flows.starting import announce

if __name__ == "__main__":
    announce("Loading Prefect")

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number
from pydantic import Field

from autoencoders.settings import REFERENCE, PresetName, Settings, apply_preset
from flows.advice import REFUSALS
from flows.by_hand import end_prefect, job
from flows.display import watching
from flows.experiment_plan import Network, Question, named_values
from flows.experiment_results import FIGURE, ExperimentResults
from flows.experiment_table import FinishedExperiment
from flows.naming import add_tags, experiment_name, tag_run
from flows.ops.machine import operations
from flows.ops.notifications import notify_failure
from flows.options import (
    ARTIFACTS,
    SAMPLE,
    Artifacts,
    Data,
    Json,
    Preset,
    SettingsOptions,
    run_command,
)
from flows.planning import print_plan
from flows.report_facts import data_name
from flows.tables import print_rows
from flows.trials import Trials
from flows.user_data import find_data
from tasks.draw_pareto import draw_pareto
from tasks.engine.logs import run_logger
from tasks.engine.refusals import telling
from tasks.engine.runner import Planner, input_refs
from tasks.engine.runs import Run
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.resolve import resolve_settings
from tasks.write_experiment_page import write_experiment_page

Seeds = Annotated[int, Field(ge=1, le=20)]
Searched = Annotated[int, Field(ge=0, le=256)]


@job(
    name="experiment", flow_run_name=experiment_name, on_failure=[notify_failure],
    on_crashed=[notify_failure],
)  # fmt: skip
def experiment(
    data: Path = SAMPLE,
    preset: PresetName = "reference",
    settings: Settings | None = None,
    artifacts: Path = ARTIFACTS,
    network: Network = "denoiser",
    grid: dict[str, str] | None = None,
    search: Searched = 0,
    space: dict[str, str] | None = None,
    seeds: Seeds = 1,
) -> FinishedExperiment:
    """Train one network with many settings, choose by validation, and score what was chosen.

    Args:
        data: File or folder of images, in any form that `docs/data.md` lists.
        preset: Where the settings of all points start from; see the main job.
        settings: Fields that replace those of the preset, for all points.
        artifacts: Folder for all results; what is there already is reused.
        network: Which network is trained: denoiser or autoencoder.
        grid: By setting, such as `training.learning_rate`, its values separated by commas; every
            combination of them is a point.
        search: How many points to sample from `space`, instead of a grid.
        space: By setting, values separated by commas, or a range such as `1e-4..1e-2:log`.
        seeds: How many trainings per point, with consecutive seeds from that of the settings.

    Returns:
        The finished experiment: its table, what was chosen, and where its files are.

    Raises:
        PipelineError, EngineError: If the user can fix what is wrong; the message says how.
    """
    tag_run(preset, data)
    add_tags(network)
    with telling(REFUSALS):
        question = Question.asked(
            apply_preset(preset, settings), network, grid or {}, search, space or {}, seeds
        )
        store, machine, files = Store(artifacts), operations(), find_data(data)
        question.require_drawn_noise(files)
        with Run(store, question.values(), files, machine) as run:
            results = _find_out(run, question)
            run.publish(*results.published(), latest=False)
    run_logger().info("%s", results.conclusion())
    return FinishedExperiment(store.root / "runs" / run.journal.record.name)


def _find_out(run: Run, question: Question) -> ExperimentResults:
    """Train all points, choose, score what was chosen, and draw what came of it."""
    base = resolve_settings(question.base)
    trials = Trials(run.step, run, run.data, base, question.method, question.seeds)
    trials.read_images()
    results = ExperimentResults(
        question, trials.files, question.find_out(trials), data_name(run.data)
    )
    for chosen in results.chosen():
        results.scores[chosen.number] = trials.score(chosen)
    drawn = run.step("draw pareto", draw_pareto, points=results.plotted(), title=results.title())
    results.files[FIGURE] = drawn["pareto.png"]
    made = run.step(
        "experiment page", write_experiment_page, figure=results.files[FIGURE],
        facts=results.page_facts(),
    )  # fmt: skip
    results.files["experiment.html"] = made["experiment.html"]
    return results


app = App(name="experiment", help=__doc__)
Values = Annotated[
    tuple[str, ...], Parameter(consume_multiple=True, negative="", allow_leading_hyphen=False)
]


@app.default
def main(
    *,
    data: Data = SAMPLE,
    preset: Preset = "reference",
    artifacts: Artifacts = ARTIFACTS,
    settings: SettingsOptions = REFERENCE,
    network: Annotated[Network, Parameter(help="Which network is trained.")] = "denoiser",
    grid: Annotated[
        Values,
        Parameter(help="Settings and their values, as NAME=VALUE,VALUE ...; every combination of "
                  "them is a point: --grid training.learning_rate=1e-3,3e-4 noise.factor=0.3,0.5"),
    ] = (),
    search: Annotated[
        int, Parameter(validator=Number(gte=0, lte=256),
                       help="How many points to sample from --space, instead of a grid."),
    ] = 0,
    space: Annotated[
        Values,
        Parameter(help="Where to search, as NAME=LOW..HIGH, NAME=LOW..HIGH:log or "
                  "NAME=VALUE,VALUE: --space training.learning_rate=1e-4..1e-2:log"),
    ] = (),
    seeds: Annotated[
        int, Parameter(validator=Number(gte=1, lte=20),
                       help="How many trainings per point, with consecutive seeds."),
    ] = 1,
    sort: Annotated[
        str, Parameter(help="What the table is sorted by: psnr, cost, point, or a setting.")
    ] = "psnr",
    plan: Annotated[
        bool, Parameter(negative="", help="Only show what a grid would compute; run nothing.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Train one network with many settings, and tell the best from the rest."""
    points, ranges = named_values("--grid", grid), named_values("--space", space)
    question = Question.asked(
        apply_preset(preset, settings), network, points, search, ranges, seeds
    )
    question.require_order(sort)
    question.require_drawn_noise(find_files(data))
    if plan:
        show_plan(question, data, artifacts, as_json=as_json)
        return
    with watching() as display:
        done = experiment(data, preset, settings, artifacts, network, points, search, ranges, seeds)
        if display is not None:
            display.status("Handing the log to Prefect's server")
            end_prefect()
    print_rows(done.table(sort), as_json=as_json)
    if not as_json:
        print(f"\n{done.conclusion}\nEverything is in {done.folder}")


def show_plan(question: Question, data: Path, artifacts: Path, *, as_json: bool) -> None:
    """Show what a grid would compute, and what that cost the last time."""
    store = Store(artifacts)
    planner = Planner(store)
    base, refs = resolve_settings(question.base), input_refs(find_files(data))
    trials = Trials(planner, None, refs, base, question.method, question.seeds)
    trials.read_images()
    trials.train(dict(enumerate(question.require_points(), start=1)))
    print_plan(store, planner, as_json=as_json)


if __name__ == "__main__":
    run_command(app)
