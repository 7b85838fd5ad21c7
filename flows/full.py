"""The main job: images in any form in, two trained networks, their metrics and figures out.

Run it with `python flows/full.py`, or `python flows/full.py --help` for every option.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

from flows.starting import announce

if __name__ == "__main__":
    announce("Loading Prefect")

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclopts import App

from autoencoders.settings import REFERENCE, PresetName, ResolvedSettings, Settings, apply_preset
from flows.advice import REFUSALS
from flows.by_hand import end_prefect, job
from flows.catalogue import FIGURES, Figure
from flows.display import watching
from flows.evaluation import Files, score_methods
from flows.finished import FinishedRun
from flows.images import has_noisy_twins, prepare_images
from flows.naming import run_name, tag_run
from flows.ops.machine import operations
from flows.ops.notifications import notify_failure
from flows.options import (
    ARTIFACTS,
    SAMPLE,
    Artifacts,
    Data,
    Preset,
    SettingsOptions,
    run_command,
)
from flows.outcome import print_outcome
from flows.reporting import write_report
from flows.results import Results, said_noise
from flows.training import train_networks
from flows.user_data import find_data
from tasks.engine.handles import ArtifactRef
from tasks.engine.logs import run_logger
from tasks.engine.refusals import telling
from tasks.engine.runner import Steps
from tasks.engine.runs import Run
from tasks.engine.store import Store
from tasks.engine.tracing import Tracing
from tasks.render import render
from tasks.resolve import resolve_settings

INTERNAL = ("images/", "labels/", "scores/", "levels/", "facts/", "first/", "extremes/", "groups",
            "gallery/")  # fmt: skip
"""Files so named are not published in the run's folder: they are large, or part of another one."""


def pipeline(step: Steps, data: Mapping[str, ArtifactRef], settings: ResolvedSettings) -> Files:
    """Say which stage follows which; `step` runs them, or only plans them.

    Args:
        step: Does one step.
        data: The user's files by role.
        settings: What is computed.

    Returns:
        Every file that was made, by what it is.
    """
    files: Files = {}
    trace = Tracing(step, data)
    prepare_images(trace, files, data, settings)
    train_networks(trace, files, settings)
    score_methods(trace, files, settings, own_noise=has_noisy_twins(data, settings))
    draw_figures(trace, files, said_noise(data, settings), settings)
    write_report(trace, files, data, settings)
    return files


def draw_figures(step: Steps, files: Files, noise: str, settings: ResolvedSettings) -> None:
    """Draw every figure, each in a step of its own; `noise` says in words which noise it is."""
    for figure in FIGURES:
        # What a run does not make, such as other levels of a user's own noise, is not drawn
        inputs = {label: files[name] for label, name in figure.inputs.items() if name in files}
        if inputs:
            made = step(
                f"draw {figure.name.replace('_', ' ')}", render, name=figure.name,
                draw=figure.draw, inputs=inputs, images=figure.images,
                options=figure_options(figure, noise, settings),
            )  # fmt: skip
            files[f"figures/{figure.name}.png"] = made[f"{figure.name}.png"]


def figure_options(figure: Figure, noise: str, settings: ResolvedSettings) -> dict[str, Any]:
    """Return the options of a figure, with the noise of the run where they name it."""
    named = {
        name: value.replace("{noise}", noise) if isinstance(value, str) else value
        for name, value in figure.options.items()
    }
    return {**named, "factor": settings.noise.factor} if figure.marks_factor else named


@job(name="full", flow_run_name=run_name, on_failure=[notify_failure], on_crashed=[notify_failure])
def full(
    data: Path = SAMPLE,
    preset: PresetName = "reference",
    settings: Settings | None = None,
    artifacts: Path = ARTIFACTS,
) -> FinishedRun:
    """Turn images into two trained networks, their test metrics and figures.

    Args:
        data: File or folder of images: `train_data.csv`, `train_labels.csv`, `test_data.csv` and
            `test_labels.csv`, or any other form that `docs/data.md` lists.
        preset: Where the settings start from: `reference` reproduces the course (50 epochs),
            `quick` trains for two epochs, `fast` is as good as the reference for a small part of
            its cost, `best` is the best found so far that costs no more.
        settings: Fields that replace those of the preset; all others keep the preset's values.
        artifacts: Folder for all results; what is there already is reused.

    Returns:
        The finished run: its metrics, and where its files are.

    Raises:
        PipelineError, EngineError: If the user can fix what is wrong; the message says how.
    """
    tag_run(preset, data)
    resolved = resolve_settings(apply_preset(preset, settings))
    store, values = Store(artifacts), resolved.model_dump(mode="json")
    with telling(REFUSALS), Run(store, values, find_data(data), operations()) as run:
        files = pipeline(run.step, run.data, resolved)
        results = Results(run.data, files, resolved, run.lineage())
        for line in results.warnings():
            run_logger().warning(line)
        published = run.publish(
            {name: ref for name, ref in files.items() if not name.startswith(INTERNAL)},
            {"summary.md": results.summary_file()},
            results.pages(),
        )
    return FinishedRun(published.folder)


app = App(name="full", help=__doc__)


@app.default
def main(
    *,
    data: Data = SAMPLE,
    preset: Preset = "reference",
    artifacts: Artifacts = ARTIFACTS,
    settings: SettingsOptions = REFERENCE,
) -> None:
    """Run the whole pipeline."""
    apply_preset(preset, settings)  # settings that contradict it are refused before a server starts
    with watching() as display:
        run = full(data, preset, settings, artifacts)
        if display is not None:
            display.status("Handing the log to Prefect's server")
            end_prefect()
    print_outcome(run, Store(artifacts))


if __name__ == "__main__":
    run_command(app)
