"""What a run knows of itself that its files do not say: for its page, as plain values."""

import importlib.metadata
import platform
import shlex
from collections.abc import Mapping
from typing import Any

from autoencoders.settings import PRESETS, REFERENCE, PresetName, ResolvedSettings
from flows.catalogue import METHODS, METRICS
from flows.differences import changed_settings, dotted, shown
from flows.evaluation import noise_levels
from flows.inspection import inspection_table
from flows.records import folder_name
from flows.results import Results
from tasks.engine.handles import ArtifactRef
from tasks.engine.tracing import Tracing

LIBRARIES = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "prefect", "matplotlib")
NOTE = (
    "With the folder or file of these data in place of its name, if it is elsewhere. With the same "
    "number of threads and the same libraries, the same processor computes the same bytes. When a "
    "run was made and how long each step took is in run.json beside this page: it is no part of "
    "the page, which is the same whenever it is made."
)
CONVENTION = (
    "All methods are compared with the clean images, pixels in [0, 1]. PSNR is that of the mean "
    "squared error over all images; higher is better, as for SSIM. Small numbers are 95 % "
    "intervals, where they are known."
)
MACHINE = ("training.precision", "training.threads")
"""Settings that a machine answers where nobody sets them."""


def report_facts(results: Results, trace: Tracing) -> dict[str, Any]:
    """Collect what the page of a run says beside its files.

    Nothing here depends on when, where or how fast a run was made: the same inputs give the same
    page.
    """
    settings, metrics = results.settings, results.metrics()
    given = settings.model_dump(mode="json")
    own_noise = "robustness.csv" not in results.files
    levels = [] if own_noise else noise_levels(settings.noise.factor)
    return {
        "kind": f"Autoencoder and denoiser on {data_name(results.data)}",
        "what": _what(results, metrics),
        "doubts": results.warnings(),
        "remarks": results.remarks(),
        "methods": [
            {"name": one.name, "reads": one.reads, "description": one.description,
             "trained": one.trained}
            for one in METHODS
        ],
        "metrics": [
            {"name": one.name, "title": one.title, "digits": one.digits, "interval": one.interval}
            for one in METRICS
        ],
        "convention": CONVENTION,
        "epochs": results.epochs(),
        "factor": None if own_noise else settings.noise.factor,
        "levels": [f"{level:g}" for level in levels] or ["the user's own"],
        "shown": 0 if own_noise else levels.index(settings.noise.factor),
        "recognised": [
            {"what": one["what"], "found": one["found"], "why": one["why"]}
            for one in inspection_table(results.inspection())
        ],
        "changed": _changed(given),
        "settings": [{"setting": name, "value": shown(one)} for name, one in dotted(given).items()],
        "command": command(data_name(results.data), given),
        "command_note": NOTE,
        "work": _work(results),
        "reads": trace.reads,
        "files": trace.files,
        "environment": _environment(settings),
        "digests": [
            {"file": role, "bytes": f"{ref.size:,}", "sha256": ref.sha256}
            for role, ref in sorted(results.data.items())
        ],
    }  # fmt: skip


def data_name(data: Mapping[str, ArtifactRef]) -> str:
    """Return what the user's data are called: their file, or the folder of their files."""
    return folder_name([ref.uri for ref in data.values()])


def command(data: str, settings: Mapping[str, Any]) -> str:
    """Return the command line that computes the same from data of this name."""
    preset, changes = _nearest_preset(settings)
    words = ["python", "flows/full.py", "--data", data]
    words += [] if preset == "reference" else ["--preset", preset]
    for name, (_, value) in changes.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name}", shown(one)]
    return shlex.join(words)


def _nearest_preset(settings: Mapping[str, Any]) -> tuple[PresetName, dict[str, tuple[Any, ...]]]:
    """Return the preset from which the fewest settings differ, and these."""
    found = {
        name: changed_settings(preset.model_dump(mode="json"), settings)
        for name, preset in PRESETS.items()
    }
    preset = min(found, key=lambda name: len(found[name]))
    return preset, found[preset]


def _changed(settings: Mapping[str, Any]) -> list[dict[str, str]]:
    changes = changed_settings(REFERENCE.model_dump(mode="json"), settings)
    return [
        {"setting": name, "this run": shown(value), "reference": shown(usual)}
        for name, (usual, value) in changes.items()
        if name not in MACHINE
    ]


def _what(results: Results, metrics: Mapping[str, Any]) -> str:
    shape, copies = " x ".join(map(str, results.inspection()["shape"])), metrics["copies_of_train"]
    seen = f"{copies:,} of them train images too" if copies else "none of them a train image"
    return (
        f"{metrics['images']:,} test images of {shape}, {seen}; "
        f"{results.noise()}; {results.training()}, seed {results.settings.seed}. The autoencoder "
        "gets clean images, the denoiser noisy ones."
    )


def _work(results: Results) -> str:
    training = results.settings.training
    images = results.inspection()["images"]["train"]
    networks = [one.name for one in METHODS if one.trained]
    return (
        f"{len(networks)} networks ({', '.join(networks)}), {results.training()}, over "
        f"{images:,} train images each, of which {training.validation_fraction:.0%} serve for "
        f"validation; in {training.precision}, with {training.threads} threads per operation."
    )


def _environment(settings: ResolvedSettings) -> list[dict[str, str]]:
    rows = [("system", f"{platform.system()}, {platform.machine()}"),
            ("Python", platform.python_version()),
            *((name, importlib.metadata.version(name)) for name in LIBRARIES),
            ("compute dtype", settings.training.precision),
            ("threads per operation", str(settings.training.threads))]  # fmt: skip
    return [{"what": name, "version": value} for name, value in rows]
