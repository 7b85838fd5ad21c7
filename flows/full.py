"""The main job: four CSV files in, two trained networks, their metrics and figures out.

Run it with `python flows/full.py`, or `python flows/full.py --help` for every option.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script: this checkout's packages, wherever it is called from
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import datetime

from cyclopts import App
from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.runtime import flow_run

from autoencoders.settings import SEED, Settings
from flows.hooks import tell
from flows.options import Artifacts, Data, Preset, SettingsOptions, over_preset, run_command
from tasks.add_noise import add_noise
from tasks.evaluate import evaluate
from tasks.hardware import settled
from tasks.ingest import find_files, ingest
from tasks.journal import Journal
from tasks.logs import hide_tracebacks
from tasks.machine import KEEP_RUNS, setting
from tasks.prepare import prepare
from tasks.progress import server_may_be_away
from tasks.render import render
from tasks.runs import Results, embedded, lineage, metrics_table, publish_run, read_metrics, summary
from tasks.steps import Execution, Steps
from tasks.store import Artifact, ArtifactRef, Store, StoreError
from tasks.train import train
from tasks.upkeep import collect_garbage

HOME = Path(__file__).resolve().parents[1]
SAMPLE = HOME / "data" / "sample"
ARTIFACTS = HOME / "artifacts"
SHOWN = ("denoising", "reconstructions", "loss_curves")
"""The figures on Prefect's pages."""


def pipeline(step: Steps, files: dict[str, ArtifactRef], settings: Settings) -> dict[str, Artifact]:
    """Say which stage follows which; `step` runs them, or only looks what they would do."""
    seed = settings.seed

    # Data: checked, as images, with noisy twins
    tables = step("ingest", ingest, files, settings.image)
    train_set = step("prepare train", prepare, tables["train.parquet"], settings.image)
    test_set = step("prepare test", prepare, tables["test.parquet"], settings.image)
    train_clean, test_clean = train_set["images.npy"], test_set["images.npy"]
    train_noise = step("add noise train", add_noise, train_clean, "train", seed, settings.noise)
    test_noise = step("add noise test", add_noise, test_clean, "test", seed, settings.noise)
    train_noisy, test_noisy = train_noise["images.npy"], test_noise["images.npy"]

    # Two networks, one recipe; only what goes in differs
    autoencoder = step(
        "train autoencoder", train, train_clean, train_clean, "autoencoder", seed, settings.training
    )
    fresh_noise = settings.noise if settings.denoiser.fresh_noise else None
    denoiser = step(
        "train denoiser", train, train_noisy, train_clean, "denoiser", seed, settings.training,
        fresh_noise,
    )  # fmt: skip

    # What they are worth, and what it looks like
    networks = (autoencoder["autoencoder.keras"], denoiser["denoiser.keras"])
    scores = step("evaluate", evaluate, test_clean, test_noisy, test_set["labels.npy"], *networks)
    pictures = step(
        "render",
        render,
        clean={"train": train_clean, "test": test_clean},
        noisy={"train": train_noisy, "test": test_noisy},
        histories={"autoencoder": autoencoder["history.csv"], "denoiser": denoiser["history.csv"]},
        layers=autoencoder["layers.csv"],
        examples=scores["examples.npz"],
    )
    return {
        "autoencoder": autoencoder,
        "denoiser": denoiser,
        "evaluate": scores,
        "render": pictures,
    }


def places(results: dict[str, Artifact]) -> dict[str, ArtifactRef]:
    """Say which file stands where in the run's folder."""
    return {
        "metrics.json": results["evaluate"]["metrics.json"],
        "per_image.parquet": results["evaluate"]["per_image.parquet"],
        "per_class.csv": results["evaluate"]["per_class.csv"],
        "models/autoencoder.keras": results["autoencoder"]["autoencoder.keras"],
        "models/denoiser.keras": results["denoiser"]["denoiser.keras"],
        "history/autoencoder.csv": results["autoencoder"]["history.csv"],
        "history/denoiser.csv": results["denoiser"]["history.csv"],
        **{f"figures/{name}": ref for name, ref in results["render"].files.items()},
    }


@flow(name="full", persist_result=False, on_failure=[tell], on_crashed=[tell])
def full(data: Path = SAMPLE, settings: Settings = SEED, artifacts: Path = ARTIFACTS) -> str:
    """Turn four CSV files into two trained networks, their test metrics and figures.

    Args:
        data: Folder of `train_data.csv`, `train_labels.csv` (or `train_lables.csv`),
            `test_data.csv` and `test_labels.csv`, each plain or gzipped.
        settings: What is computed; the defaults are the reference.
        artifacts: Folder of everything computed; what is there already is not computed again.

    Returns:
        The folder of this run.
    """
    hide_tracebacks()
    store, settings = Store(artifacts), settled(settings)
    keep_runs = setting(KEEP_RUNS)
    with Journal(store, datetime.datetime.now(datetime.UTC), flow_run.name, settings) as journal:
        files = find_files(data)
        journal.reads({role: ref.uri for role, ref in files.items()})
        made = pipeline(Execution(store, journal), files, settings)
        results = Results(
            record=journal.finished(),
            data=files,
            files=places(made),
            metrics=read_metrics(made["evaluate"]["metrics.json"]),
        )
        folder = publish_run(store, results)
    with server_may_be_away("results"):
        show(store, results, folder)
    if keep_runs:
        prune(store, keep_runs)
    return str(folder)


def prune(store: Store, keep_runs: int) -> None:
    """Remove old runs; that it cannot be done is no fault of the run that has just finished."""
    log = get_run_logger()
    try:
        freed = collect_garbage(store, keep_runs, dry_run=False)
    except StoreError as error:
        log.error("%s=%s: nothing was removed. %s", KEEP_RUNS, keep_runs, error)
        return
    log.info(
        "%s=%s: %s old things removed, %s MB.", KEEP_RUNS, keep_runs, len(freed),
        f"{sum(one.size for one in freed) / 1e6:,.1f}",
    )  # fmt: skip


def show(store: Store, results: Results, folder: Path) -> None:
    """Put on Prefect's pages what they should show of a run."""
    create_markdown_artifact(
        summary(results) + embedded(results.files[f"figures/{name}.png"] for name in SHOWN),
        key="summary",
        description="Results of the run",
    )
    create_table_artifact(
        metrics_table(results.metrics), key="metrics", description="Metrics on the test images"
    )
    create_markdown_artifact(
        lineage(store, results),
        key="lineage",
        description="What each step read; Prefect's V2 pages show it as a drawing",
    )
    create_link_artifact(
        folder.as_uri(),
        key="run-folder",
        link_text=str(folder),
        description="The run's files; copy the path, browsers open no folders from a page",
    )


app = App(name="full", help=__doc__)


@app.default
def main(
    *,
    data: Data = SAMPLE,
    preset: Preset = "seed",
    artifacts: Artifacts = ARTIFACTS,
    settings: SettingsOptions = SEED,
) -> None:
    """Run the whole pipeline."""
    folder = Path(full(data, over_preset(preset, settings), artifacts))
    print((folder / "summary.md").read_text().partition("![")[0])
    print(f"Everything is in {folder}, also as {artifacts.absolute() / 'latest'}")


if __name__ == "__main__":
    run_command(app)
