"""What a run is called: what differs from the reference, so that a list of runs reads as a list of
experiments."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from coolname.data import config
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from autoencoders.errors import PipelineError
from autoencoders.settings import PRESETS, PresetName, Settings, apply_preset

WORDS = frozenset(word for words in config.values() for word in words.get("words", ()))  # type: ignore[attr-defined]
"""What Prefect makes names of runs from: an adjective and an animal."""
SHAPE = ("image.height", "image.width", "image.channels")
LONGEST = 80
"""Characters of a name; a list shows no more."""


def is_chosen(name: str) -> bool:
    """Return whether somebody has chosen the name of a flow run, and not Prefect."""
    return not WORDS.issuperset(name.split("-"))


def _unless_chosen(named: Callable[[dict[str, Any]], str]) -> Callable[[], str]:
    """Return what Prefect calls for the name of a flow run that begins, from its parameters.

    A name that somebody has chosen is kept, also that of a run that is retried; so is Prefect's
    where there is nothing to say.
    """

    def name() -> str:
        given = flow_run.name or ""
        return given if is_chosen(given) else named(flow_run.parameters) or given

    return name


@_unless_chosen
def run_name(parameters: dict[str, Any]) -> str:
    """Return in a few words how the settings of a run differ from their preset."""
    try:
        return experiment(parameters["preset"], parameters["settings"])
    except (ValueError, PipelineError):  # settings that contradict each other; the flow says so
        return ""


@_unless_chosen
def experiment_name(parameters: dict[str, Any]) -> str:
    """Return what an experiment trains, and what varies."""
    varied = [*(parameters["grid"] or ()), *(parameters["space"] or ())]
    fields = ", ".join(name.rpartition(".")[2].replace("_", " ") for name in varied)
    return f"{parameters['network']} by {fields}" if fields else ""


@_unless_chosen
def denoise_name(parameters: dict[str, Any]) -> str:
    """Return which images are denoised with which network."""
    return f"{Path(parameters['input']).name} by {Path(parameters['model']).name}"


@_unless_chosen
def export_name(parameters: dict[str, Any]) -> str:
    """Return which run's networks are exported, and as what."""
    return f"{Path(parameters['model']).name} as {parameters['format']}"


def experiment(preset: PresetName, settings: Settings | None) -> str:
    """Return in a few words how these settings differ from their preset."""
    before, after = PRESETS[preset], apply_preset(preset, settings)
    changed = dict(_changes(before.model_dump(), after.model_dump()))
    words: list[str] = [] if changed and preset == "reference" else [preset]
    words += _in_words(changed)
    while len(", ".join(words)) > LONGEST:
        words = [*words[:-2], "…"]
    return ", ".join(words)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings that differ, by dotted name."""
    for name, value in new.items():
        if isinstance(value, Mapping):
            for inner, changed in _changes(old[name], value):
                yield f"{name}.{inner}", changed
        elif value != old[name]:
            yield name, value


def _in_words(changed: dict[str, Any]) -> list[str]:
    """Return a few words per changed setting, in the order of the settings."""
    sides = [str(changed[name]) for name in SHAPE if name in changed]
    words = [f"images {' x '.join(sides)}"] if sides else []
    for name, value in changed.items():
        field = name.rpartition(".")[2].replace("_", " ")
        if name in SHAPE:
            continue
        match name.split("."):
            case ["training", "epochs"]:
                words.append(f"{value} epoch{'s' if value > 1 else ''}")
            case ["training", "steps"]:
                words += [f"{value:,} step{'s' if value > 1 else ''}"] if value else []
            case [("autoencoder" | "denoiser"), "network"]:
                words.append(f"{name.partition('.')[0]} {value}")
            case ["noise", "factor"]:
                words.append(f"noise {value:g}")
            case ["noise", "kind"]:
                words.append(value.replace("_", " "))
            case _ if isinstance(value, tuple):
                words.append(f"{field} {' '.join(value)}")
            case _ if isinstance(value, bool):
                words.append(field if value else f"no {field}")
            case _:
                words.append(
                    f"{field} {value:g}" if isinstance(value, float) else f"{field} {value}"
                )
    return words


def tag_run(preset: PresetName, data: Path) -> None:
    """Tag the flow run under way with its preset and the name of its data folder."""
    add_tags(preset, data.absolute().name)


def add_tags(*tags: str) -> None:
    """Tag the flow run under way, beside the tags that it has."""
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None
    wanted = list(dict.fromkeys([*context.flow_run.tags, *tags]))
    if wanted != context.flow_run.tags:
        assert isinstance(context.client, SyncPrefectClient)
        context.client.update_flow_run(context.flow_run.id, tags=wanted)
        context.flow_run.tags = wanted
