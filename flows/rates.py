"""Does it compress? Autoencoders with codes of several sizes, against principal components.

Run it with `python flows/rates.py --data DIR --seeds 3`. It trains one autoencoder per size and
seed, each a cached training of the main job with the network `bottleneck`.
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

from autoencoders.errors import DivergedError, PipelineError
from autoencoders.settings import REFERENCE, PresetName, Settings, apply_preset
from autoencoders.training_settings import AutoencoderSettings
from flows.advice import REFUSALS
from flows.by_hand import end_prefect, job
from flows.catalogue import METHODS
from flows.display import watching
from flows.images import SPLITS, import_images
from flows.naming import run_name, tag_run
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
from flows.rate_results import FinishedRates, RateResults
from flows.tables import print_rows
from flows.training import training_step
from flows.user_data import find_data
from tasks.draw_rates import draw_rates
from tasks.engine.handles import ArtifactRef
from tasks.engine.logs import run_logger
from tasks.engine.manifest import Artifact
from tasks.engine.refusals import telling
from tasks.engine.runs import Run
from tasks.engine.store import Store
from tasks.measure_linear_rates import measure_linear_rates
from tasks.measure_rate import measure_rate
from tasks.resolve import resolve_settings

AUTOENCODER = next(one for one in METHODS if one.name == "autoencoder")
SIZES = (8, 16, 32, 64, 128, 256)
BITS = 8
"""Bits of a number of a code that is quantised: a byte, as the pixels of most files."""
MAPPED = 32
"""The size of code whose map and strips are shown, or the nearest one."""

Sizes = Annotated[list[Annotated[int, Field(ge=1, le=65_536)]], Field(min_length=1, max_length=20)]
Seeds = Annotated[int, Field(ge=1, le=20)]


@job(
    name="rates", flow_run_name=run_name, on_failure=[notify_failure], on_crashed=[notify_failure],
)  # fmt: skip
def rates(
    data: Path = SAMPLE,
    preset: PresetName = "fast",
    settings: Settings | None = None,
    artifacts: Path = ARTIFACTS,
    sizes: Sizes = list(SIZES),  # noqa: B006  # Prefect copies it, and nobody changes it
    seeds: Seeds = 1,
) -> FinishedRates:
    """Train autoencoders with codes of several sizes, and compare each with as many principal
    components: at equal numbers, at equal bits, and in what a linear probe reads in them.

    Args:
        data: File or folder of images, in any form that `docs/data.md` lists.
        preset: Where the settings start from; see the main job.
        settings: Fields that replace those of the preset. The network is `bottleneck`.
        artifacts: Folder for all results; what is there already is reused.
        sizes: Numbers of the codes.
        seeds: How many networks of each size: with the seed of the settings and those after it.

    Returns:
        The finished run: its table, its sentence, and where its files are.

    Raises:
        PipelineError, EngineError: If the user can fix what is wrong; the message says how.
    """
    tag_run(preset, data)
    with telling(REFUSALS):
        base = bottleneck(apply_preset(preset, settings))
        require_sizes(sizes)
        values = {"base": resolve_settings(base).model_dump(mode="json"), "sizes": sizes,
                  "seeds": seeds}  # fmt: skip
        with Run(Store(artifacts), values, find_data(data), operations()) as run:
            results = _compare(run, base, sizes, seeds)
            run.publish(*results.published(), latest=False)
    run_logger().info("%s", results.conclusion())
    return FinishedRates(run.store.root / "runs" / run.journal.record.name)


def bottleneck(settings: Settings, size: int | None = None) -> Settings:
    """Return settings whose autoencoder has the network `bottleneck`, with a code of this size."""
    named = AutoencoderSettings(
        network="bottleneck", code_size=settings.autoencoder.code_size if size is None else size
    )
    return settings.model_copy(update={"autoencoder": named})


def require_sizes(sizes: list[int]) -> None:
    """Refuse sizes of which one is there twice.

    Raises:
        PipelineError: If so.
    """
    twice = [one for one in sizes if sizes.count(one) > 1]
    if twice:
        raise PipelineError(f"--sizes: {twice[0]} is given twice.", "Give each size once.")


def _compare(run: Run, base: Settings, sizes: list[int], seeds: int) -> RateResults:
    files: dict[str, ArtifactRef] = {}
    import_images(run.step, files, run.data, resolve_settings(base), twins=False)
    images = {split: files[f"images/{split}/clean"] for split in SPLITS}
    labels = {split: files[f"labels/{split}"] for split in SPLITS}
    linear = run.step("measure linear codes", measure_linear_rates, images=images, labels=labels,
                      sizes=sizes, bits=BITS)  # fmt: skip
    results = RateResults(files, linear["rates.csv"], BITS)
    wanted = [(size, base.seed + offset) for size in sizes for offset in range(seeds)]
    for (size, seed), made in zip(wanted, _train(run, base, files, wanted), strict=True):
        found = run.step(
            f"measure code of {size}, seed {seed}", measure_rate,
            network=made[f"{AUTOENCODER.name}.keras"], images=images, labels=labels, bits=BITS,
            threads=resolve_settings(base).training.threads,
        )  # fmt: skip
        results.add(size, seed, found)
    shown = min(sizes, key=lambda size: (abs(size - MAPPED), size))
    drawn = run.step(
        "draw rates", draw_rates, rows=results.rows(), title=results.title(),
        places=results.measured[shown, base.seed]["map.csv"],
        strips=results.measured[shown, base.seed]["strips.npy"],
        classes=files["labels/test/classes"], mapped=f"Code of {shown} numbers",
    )  # fmt: skip
    files["figures/rates.png"] = drawn["rates.png"]
    return results


def _train(
    run: Run, base: Settings, files: dict[str, ArtifactRef], wanted: list[tuple[int, int]]
) -> list[Artifact]:
    """Train all networks; return what each training has made."""
    steps = []
    for size, seed in wanted:
        settings = bottleneck(base, size).model_copy(update={"seed": seed})
        label = f"train {AUTOENCODER.name}: code of {size}, seed {seed}"
        steps.append(training_step(files, resolve_settings(settings), AUTOENCODER, label))
    found = []
    for made in run.step.together(steps, DivergedError):  # the others are kept all the same
        if isinstance(made, DivergedError):
            raise made
        found.append(made)
    return found


app = App(name="rates", help=__doc__)


@app.default
def main(
    *,
    data: Data = SAMPLE,
    preset: Preset = "fast",
    artifacts: Artifacts = ARTIFACTS,
    settings: SettingsOptions = REFERENCE,
    sizes: Annotated[
        str, Parameter(help="Sizes of the codes, separated by commas.")
    ] = ",".join(map(str, SIZES)),
    seeds: Annotated[
        int, Parameter(validator=Number(gte=1, lte=20),
                       help="How many networks of each size, with consecutive seeds."),
    ] = 1,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Compare autoencoders with codes of several sizes with principal components."""
    apply_preset(preset, settings)
    numbers = read_sizes(sizes)
    with watching() as display:
        done = rates(data, preset, settings, artifacts, numbers, seeds)
        if display is not None:
            display.status("Handing the log to Prefect's server")
            end_prefect()
    print_rows(done.table(), as_json=as_json)
    if not as_json:
        print(f"\n{done.conclusion}\nEverything is in {done.folder}")


def read_sizes(text: str) -> list[int]:
    """Return sizes that are written with commas between.

    Raises:
        PipelineError: If they are none.
    """
    words = [one.strip() for one in text.split(",")]
    if not all(one.isascii() and one.isdigit() and 1 <= int(one) <= 65_536 for one in words):
        raise PipelineError(f"--sizes {text}: expected whole numbers from 1 to 65,536, separated "
                            "by commas.", "For example --sizes 8,32,128.")  # fmt: skip
    if len(words) > 20:
        raise PipelineError(f"--sizes: {len(words)} sizes are more than 20.", "Give fewer.")
    found = [int(one) for one in words]
    require_sizes(found)
    return found


if __name__ == "__main__":
    run_command(app)
