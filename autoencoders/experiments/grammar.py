"""How the values of an experiment are written: `1e-3,3e-4`, or `1e-4..1e-2:log` for a range."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from autoencoders.errors import PipelineError
from autoencoders.settings import Settings

RANGE, LOG = "..", ":log"
GROUPS = {
    "denoiser": ("training", "denoiser", "residual", "noise"),
    "autoencoder": ("training", "autoencoder", "residual"),
}
"""By network, the groups of settings that its training depends on."""
FIXED = {
    "training.validation_fraction": "it decides which images points are compared on",
    "training.threads": "it changes the cost alone, of every point in the same way",
}
"""Settings of these groups that are the same for all points, and why."""


@dataclass(frozen=True)
class Choice:
    """Some values of a setting."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """All values of a setting between two, which are among them."""

    low: float
    high: float
    whole: bool
    """Whether only whole numbers are."""
    logarithmic: bool
    """Whether each power of ten is as likely as the next."""


def read_values(option: str, name: str, text: str, network: str) -> Choice | Range:
    """Read what a setting of an experiment is to be.

    Args:
        option: The option that says so, for messages.
        name: The setting, such as `training.learning_rate`.
        text: Values with commas between, or a range.
        network: Which network is trained.

    Raises:
        PipelineError: If there is no such setting, it does not matter to the network, or a value is
            none that it can have.
    """
    field = _field(option, name, network)
    if RANGE in text:
        return _range(option, name, text, field)
    values = tuple(_value(option, name, one.strip(), field) for one in text.split(","))
    for number, value in enumerate(values):
        if value in values[:number]:
            raise PipelineError(f"{option} {name}={text}: {value} is given twice.",
                                "Give each value once.")  # fmt: skip
    return Choice(values)


def varied_settings(network: str) -> dict[str, FieldInfo]:
    """Return the settings that an experiment with a network can vary, by dotted name."""
    found: dict[str, FieldInfo] = {}
    for group in GROUPS[network]:
        model = Settings.model_fields[group].annotation
        assert model is not None
        fields: Mapping[str, FieldInfo] = model.model_fields
        found |= {f"{group}.{name}": one for name, one in fields.items()}
    return {name: one for name, one in found.items() if name not in FIXED}


def _field(option: str, name: str, network: str) -> FieldInfo:
    known = varied_settings(network)
    if name in known:
        return known[name]
    if name in FIXED:
        raise PipelineError(
            f"{option} {name}: this setting cannot vary within an experiment, since {FIXED[name]}.",
            f"Give it for all points: --{name} VALUE.",
        )
    if name == "seed":
        raise PipelineError(f"{option} seed: the seed is not a setting to optimise.",
                            "Set the number of seeds per point with --seeds.")  # fmt: skip
    group, _, inner = name.partition(".")
    model = Settings.model_fields[group].annotation if group in Settings.model_fields else None
    if inner in getattr(model, "model_fields", {}):
        raise PipelineError(
            f"{option} {name}: this setting does not change how the {network} is trained.",
            f"What does is in {', '.join(GROUPS[network])}.",
        )
    near = [one for one in known if one.startswith(f"{group}.")] or list(known)
    raise PipelineError(
        f"{option} {name}: there is no such setting.", f"There is {', '.join(near)}."
    )


def _value(option: str, name: str, text: str, field: FieldInfo) -> Any:
    kind: Any = Annotated[field.annotation, field]
    try:
        return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False)).validate_python(text)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        given = f"Received: {text}." if text else "Received nothing between two commas."
        help_text = " ".join((field.description or "").split())
        raise PipelineError(
            f"{option} {name}: {problem}. {given}", f"{name}: {help_text}"
        ) from error


def _range(option: str, name: str, text: str, field: FieldInfo) -> Range:
    if field.annotation not in (int, float):
        words = map(str, get_args(field.annotation) or ("true", "false"))
        raise PipelineError(
            f"{option} {name}={text}: a range needs a numeric setting, which this is not.",
            f"Its values are {', '.join(words)}; give some of them, separated by commas.",
        )
    logarithmic = text.endswith(LOG)
    ends = text.removesuffix(LOG).split(RANGE)
    if len(ends) != 2:
        raise PipelineError(f"{option} {name}={text}: expected LOW..HIGH or LOW..HIGH:log.",
                            f"For example {name}=1e-4..1e-2:log.")  # fmt: skip
    low, high = (_value(option, name, one.strip(), field) for one in ends)
    if not low < high:
        raise PipelineError(f"{option} {name}={text}: the range ends at {high:g}, but begins at "
                            f"{low:g}.", "Give the smaller number first.")  # fmt: skip
    if logarithmic and low <= 0:
        raise PipelineError(f"{option} {name}={text}: a logarithmic range cannot begin at {low:g}.",
                            "Begin above 0, or leave `:log` out.")  # fmt: skip
    return Range(low, high, whole=field.annotation is int, logarithmic=logarithmic)
