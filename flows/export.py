"""Export trained networks for other runtimes, each compared there with Keras.

Run it with `python flows/export.py --format onnx,litert,saved_model --output DIR`.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from prefect import task
from prefect.cache_policies import NO_CACHE

from autoencoders.errors import PipelineError
from flows.advice import REFUSALS
from flows.by_hand import job
from flows.catalogue import METHODS
from flows.model_card import model_card, programs
from flows.naming import export_name
from flows.networks import DENOISER, LATEST, ChosenRun, choose_run
from flows.options import ARTIFACTS, Folder, Model, RunsIn, run_command
from flows.user_folder import user_folder
from tasks.engine.files import sha256_of, to_json
from tasks.engine.logs import run_logger
from tasks.engine.refusals import telling, telling_once
from tasks.export import Exported, export_network, load_examples, require_packages
from tasks.find_inputs import RECORD
from tasks.resolve import resolve_threads


@task(name="export", task_run_name="export {name}", cache_policy=NO_CACHE, persist_result=False,
      cache_result_in_memory=False)  # fmt: skip
def export_one(name: str, run: ChosenRun, formats: tuple[str, ...], output: Path) -> list[Exported]:
    """Write one network in all formats, and compare each."""
    log = run_logger()
    with telling_once(), user_folder(output):
        network = run.network(name)
        reads = next((one.reads for one in METHODS if one.name == name), "noisy")
        threads = resolve_threads()
        examples = load_examples(
            network, run.images.get(reads), run.images.get("clean"), threads, log.info
        )
        about = f"{name} of {run.name}: images (n, h, w, c) in [0, 1] to the same shape"
        return export_network(network, formats, examples, output, threads, about, log.info)


@job(name="export", flow_run_name=export_name)
def export(
    output: Path,
    format: str = "onnx",
    model: str = LATEST,
    artifacts: Path = ARTIFACTS,
) -> Path:
    """Write the networks of a run for other runtimes, with a model card and programs that use them.

    Args:
        output: A new or empty folder; it appears when all is written.
        format: Some of `onnx`, `litert` and `saved_model`, separated by commas.
        model: `latest`, the newest finished run; the name of a run; its folder; or a .keras file.
        artifacts: Folder in which runs are looked up.

    Returns:
        The folder.

    Raises:
        PipelineError, EngineError: If the user can fix what is wrong; the message says how.
    """
    output = output.absolute()
    with telling(REFUSALS), user_folder(output):
        formats = tuple(dict.fromkeys(name.strip() for name in format.split(",") if name.strip()))
        require_packages(formats)
        _require_free(output)
        run = choose_run(model, artifacts)
        output.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        try:
            files = [one for name in run.models for one in export_one(name, run, formats, draft)]
            _write_texts(draft, run, formats, files)
            draft.chmod(0o755)
            draft.rename(output)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return output


def _require_free(output: Path) -> None:
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise PipelineError(
            f"{output}: already exists and is not an empty folder.",
            "Give another one with --output.",
        )


def _write_texts(
    folder: Path, run: ChosenRun, formats: tuple[str, ...], files: list[Exported]
) -> None:
    """Write the model card, the programs that use a network, and what all is made of."""
    name = DENOISER if DENOISER in run.models else next(iter(run.models))
    texts = programs(formats, name)
    card = model_card(run, files, texts, examples=bool(run.images))
    record = {
        "run": run.name,
        "networks": {name: sha256_of(path) for name, path in run.models.items()},
        "files": [dataclasses.asdict(one) for one in files],
    }
    (folder / RECORD).write_bytes(to_json(record))
    (folder / "metrics.json").write_bytes(to_json(run.metrics))
    for file, text in {"README.md": card, **texts}.items():
        (folder / file).write_text(text, encoding="utf-8")


app = App(name="export", help=__doc__)


@app.default
def main(
    *,
    output: Annotated[Folder, Parameter(help="A new or empty folder.")],
    format: Annotated[
        str, Parameter(help="Some of onnx, litert and saved_model, separated by commas.")
    ] = "onnx",
    model: Model = LATEST,
    artifacts: RunsIn = ARTIFACTS,
) -> None:  # fmt: skip
    """Export networks."""
    folder = export(output, format, model, artifacts)
    print(f"Exported to {folder}; README.md there describes the files.")


if __name__ == "__main__":
    run_command(app)
