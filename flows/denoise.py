"""Denoise your own images with a trained network: a file or a folder, each file in its own form.

Run it with `python flows/denoise.py --input FILE_OR_FOLDER --output DIR`.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

import dataclasses
import shutil
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number
from prefect import task
from prefect.cache_policies import NO_CACHE

from autoencoders.settings import InputSettings
from flows.advice import REFUSALS
from flows.by_hand import job
from flows.catalogue import CORRUPTIONS
from flows.naming import denoise_name
from flows.networks import DENOISER, LATEST, ChosenRun, choose_run
from flows.options import ARTIFACTS, Folder, Model, RunsIn, run_command
from flows.recipe import levels_in_words
from flows.user_folder import user_folder
from tasks.compare_images import compare_images
from tasks.denoise import Restore, Seen, denoise_pictures, denoise_table, load_denoiser
from tasks.engine.files import sha256_of, to_json
from tasks.engine.handles import write_atomically
from tasks.engine.logs import run_logger
from tasks.engine.progress import StepReport
from tasks.engine.refusals import telling, telling_once
from tasks.find_inputs import RECORD, Inputs, check_places, find_inputs
from tasks.formats.pictures import SHEET
from tasks.resolve import resolve_threads

AS_FOUND = InputSettings()
OFF = 0.3
"""Share of the strength of noise in the training by which that of images may differ."""


@dataclasses.dataclass(frozen=True)
class Denoised:
    """What was written."""

    folder: Path
    """Where the images are, and `before_after.png`."""
    count: int
    """How many images."""
    network: str
    """What they were denoised with."""
    noise: float | None
    """How strong their noise is, in units of `noise.factor`; None if there is nothing to compare
    it with."""
    trained_noise: tuple[float, float] | None
    """From which to which strength the training had; None if that is not known."""
    warnings: list[str]
    """What their owner should know."""


@task(name="denoise", task_run_name="denoise {name}", cache_policy=NO_CACHE, persist_result=False,
      cache_result_in_memory=False)  # fmt: skip
def denoise_file(
    name: str, source: Path, target: Path, restore: Restore, settings: InputSettings
) -> Seen:
    """Denoise one file of many images."""
    with telling_once(), user_folder(target.parent):
        return denoise_table(source, target, restore, settings, StepReport(f"denoise {name}"))


@task(name="denoise pictures", task_run_name="denoise pictures", cache_policy=NO_CACHE,
      persist_result=False, cache_result_in_memory=False)  # fmt: skip
def denoise_folder(sources: dict[Path, Path], restore: Restore, output: Path) -> Seen:
    """Denoise all pictures of a folder."""
    with telling_once(), user_folder(output):
        return denoise_pictures(sources, restore, StepReport("denoise pictures"))


@job(name="denoise", flow_run_name=denoise_name)
def denoise(
    input: Path,
    output: Path,
    model: str = LATEST,
    artifacts: Path = ARTIFACTS,
    settings: InputSettings | None = None,
    shifts: int = 0,
) -> Denoised:
    """Denoise images; each file goes out in the form in which it came in.

    Args:
        input: An image file, a file of many images, or a folder of such files.
        output: Folder for the results, which keep the names of their files; never the input.
        model: `latest`, the newest finished run; `champion`; the name of a run; its folder; or a
            .keras file.
        artifacts: Folder in which runs are looked up.
        settings: How the images are read, where looking at them is not enough.
        shifts: Over shifts by up to how many pixels results are averaged: 1 gains 0.1 to 0.4 dB
            for 5 times the time.

    Raises:
        PipelineError, EngineError: If the user can fix what is wrong; the message says how.
    """
    settings, log = settings or AS_FOUND, run_logger()
    with telling(REFUSALS), user_folder(output):
        inputs = find_inputs(input)
        check_places(inputs, output)
        chosen = choose_run(model, artifacts)
        network = chosen.network(DENOISER)
        restore = load_denoiser(network, resolve_threads(), shifts, log.info)
        record: dict[str, Any] = {
            "network": {"name": chosen.name, "sha256": sha256_of(network)},
            "shifts": shifts, "settings": settings.model_dump(mode="json"), "finished": False,
        }  # fmt: skip
        write_atomically(output / RECORD, to_json(record))
        found = _denoise_all(inputs, output, restore, settings)
        done = _compared(found, chosen, output)
        for warning in done.warnings:
            log.warning(warning)
        report = dataclasses.asdict(done) | {"folder": None}
        files = {name: {"images": one.count, "found": one.notes} for name, one in found.items()}
        write_atomically(
            output / RECORD, to_json({**record, **report, "files": files, "finished": True})
        )
    return done


def _denoise_all(
    inputs: Inputs, output: Path, restore: Restore, settings: InputSettings
) -> dict[str, Seen]:
    """Write every file; return what was seen in each, and in all pictures together."""
    root, found = inputs.root, {}
    for name in inputs.tables:
        found[str(name)] = denoise_file(str(name), root / name, output / name, restore, settings)
    if inputs.pictures:
        sources = {root / name: output / name for name in inputs.pictures}
        found["pictures"] = denoise_folder(sources, restore, output)
    for name in inputs.labels:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, output / name)
    return found


def _compared(found: dict[str, Seen], chosen: ChosenRun, output: Path) -> Denoised:
    """Draw the sheet, and compare the noise with that of the training."""
    trained = chosen.trained_noise
    corrupt = CORRUPTIONS.get(chosen.settings["noise"]["kind"]) if trained else None
    with user_folder(output):
        level = compare_images(list(found.values()), output / SHEET, corrupt)
    warnings = [note for one in found.values() for note in one.notes if "is left out" in note]
    less = level is not None and trained is not None and level < trained[0] * (1 - OFF)
    if less or (level is not None and trained and level > trained[1] * (1 + OFF)):
        assert level is not None and trained is not None
        warnings.append(
            f"The noise of these images is {'weaker' if less else 'stronger'} than what the "
            f"network was trained for: {level:.2f} against {levels_in_words(trained)}. "
            + ("They may come out blurred." if less else "Much of it may stay.")
            + f" A network for it: `autoencoders run --noise.factor {max(level, 0.05):.2f}`."
        )
    count = sum(one.count for one in found.values())
    return Denoised(output.absolute(), count, chosen.name, level, trained, warnings)


app = App(name="denoise", help=__doc__)


@app.default
def main(
    *,
    input: Annotated[
        Folder,
        Parameter(help="An image file, a file of many images, or a folder of such files."),
    ],
    output: Annotated[
        Folder, Parameter(help="Folder for the results, which keep the names of their files.")
    ],
    model: Model = LATEST,
    artifacts: RunsIn = ARTIFACTS,
    shifts: Annotated[
        int,
        Parameter(validator=Number(gte=0, lte=2), help="Average over shifts by up to this many "
                  "pixels: 1 gains 0.1 to 0.4 dB for 5 times the time."),
    ] = 0,
    settings: Annotated[InputSettings, Parameter(name="*")] = AS_FOUND,
) -> None:  # fmt: skip
    """Denoise images."""
    done = denoise(input, output, model, artifacts, settings, shifts)
    print(f"{done.count:,} images denoised with {done.network}.")
    if done.noise is not None and done.trained_noise is not None:
        trained = levels_in_words(done.trained_noise)
        print(f"Their noise is about {done.noise:.2f}; the network was trained for {trained}.")
    print(f"They are in {done.folder}, beside {SHEET}")


if __name__ == "__main__":
    run_command(app)
