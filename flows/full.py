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

from autoencoders.errors import PipelineError
from autoencoders.settings import REFERENCE, PresetName, ResolvedSettings, Settings, apply_preset
from flows.advice import REFUSALS
from flows.by_hand import end_prefect, job
from flows.catalogue import CORRUPTIONS, FIGURES, METHODS, Figure, Method
from flows.display import watching
from flows.evaluation import Files, score_methods
from flows.finished import FinishedRun
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
from flows.recipe import has_own_noise
from flows.reporting import write_report
from flows.results import Results, said_noise
from tasks.add_noise import add_noise
from tasks.draw_contact_sheet import draw_contact_sheet
from tasks.engine.handles import ArtifactRef
from tasks.engine.logs import run_logger
from tasks.engine.manifest import Artifact
from tasks.engine.refusals import telling
from tasks.engine.runner import Steps
from tasks.engine.runs import Run
from tasks.engine.store import Store
from tasks.engine.tracing import Tracing
from tasks.find_files import find_files
from tasks.ingest import ingest
from tasks.prepare import prepare
from tasks.render import render
from tasks.resolve import resolve_settings
from tasks.train import train

SPLITS = ("train", "test")
FIRST_IMAGES = 20
"""Images of each split on the contact sheet."""
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


def prepare_images(
    step: Steps, files: Files, data: Mapping[str, ArtifactRef], settings: ResolvedSettings
) -> None:
    """Check the user's files, make images of them, and give every image a noisy twin."""
    tables = read_files(step, "ingest", data, settings)
    files["inspection.json"] = tables["inspection.json"]
    twins = has_noisy_twins(data, settings)
    kept = {name: tables[f"{name}.parquet"] for name in table_names(twins=twins)}
    make_images(step, files, kept, settings, twins=twins)


def table_names(*, twins: bool) -> list[str]:
    """Return which tables there are of images."""
    return [*SPLITS, *(f"{split}_noisy" for split in SPLITS if twins)]


def read_files(
    step: Steps, label: str, data: Mapping[str, ArtifactRef], settings: ResolvedSettings
) -> Artifact:
    """Check files, and write them as tables of train and test images."""
    return step(
        label, ingest, files=data, image=settings.image, reading=settings.reading,
        seed=settings.seed if "data" in data else 0,  # two sets need no splitting
    )  # fmt: skip


def make_images(
    step: Steps, files: Files, tables: Files, settings: ResolvedSettings, *, twins: bool
) -> None:
    """Make images of tables, and give every image a noisy twin unless it has one."""
    noise = settings.noise
    made = step(
        "contact sheet", draw_contact_sheet, images=FIRST_IMAGES,
        tables={split: tables[split] for split in SPLITS},
    )  # fmt: skip
    files["figures/contact_sheet.png"] = made["contact_sheet.png"]
    for split in SPLITS:
        made = step(f"prepare {split}", prepare, table=tables[split])
        files[f"images/{split}/clean"] = made["images.npy"]
        files[f"labels/{split}"] = made["labels.npy"]
        files[f"labels/{split}/classes"] = made["classes.json"]
    if twins:
        for split in SPLITS:
            made = step(f"prepare noisy {split}", prepare, table=tables[f"{split}_noisy"])
            files[f"images/{split}/noisy"] = made["images.npy"]
        return
    for split in SPLITS:
        made = step(
            f"add noise {split}", add_noise, images=files[f"images/{split}/clean"], split=split,
            seed=settings.seed, noise=noise, corrupt=CORRUPTIONS[noise.kind],
        )  # fmt: skip
        files[f"images/{split}/noisy"] = made["images.npy"]


def has_noisy_twins(data: Mapping[str, ArtifactRef], settings: ResolvedSettings) -> bool:
    """Return whether the noise is the user's own.

    Raises:
        PipelineError: If fresh noise is asked for beside it.
    """
    twins = has_own_noise(data)
    if twins and settings.denoiser.fresh_noise:
        raise PipelineError(
            "`denoiser.fresh_noise` draws noise anew in every epoch, but noisy images are given.",
            "Leave it off (--denoiser.fresh_noise false --denoiser.noise_spread 0), or give clean "
            "images alone.",
        )
    return twins


def train_networks(step: Steps, files: Files, settings: ResolvedSettings) -> None:
    """Train one network per trained method: what goes in differs, and may be the network."""
    for method in METHODS:
        if method.trained:
            made = train_network(step, files, settings, method, f"train {method.name}")
            files[f"models/{method.name}_layers.csv"] = made["layers.csv"]


def train_network(
    step: Steps, files: Files, settings: ResolvedSettings, method: Method, label: str,
    initial: ArtifactRef | None = None,
) -> Artifact:  # fmt: skip
    """Train the network of one method, from the weights of `initial` if there is one."""
    group = settings.denoiser if method.reads == "noisy" else settings.autoencoder
    fresh_noise = method.reads == "noisy" and settings.denoiser.fresh_noise
    made = step(
        label, train, inputs=files[f"images/train/{method.reads}"],
        targets=files["images/train/clean"], role=method.name, seed=settings.seed,
        training=settings.training,
        noise_factor=settings.noise.factor if fresh_noise else None,
        noise_spread=settings.denoiser.noise_spread if fresh_noise else 0,
        sizes=None if group.network == "reference" else settings.residual,
        skip=group.network == "unet", initial=initial,
    )  # fmt: skip
    files[f"models/{method.name}.keras"] = made[f"{method.name}.keras"]
    files[f"history/{method.name}.csv"] = made["history.csv"]
    return made


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
    with telling(REFUSALS), Run(store, values, find_files(data), operations()) as run:
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
