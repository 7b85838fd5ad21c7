"""What a user can do, in the words of the place where it is read.

Errors are written for the command line: they name settings as its options. The engine's errors
state the problem and a general advice; here is a better one where a command or an option helps. A
deployment and a call from Python have parameters instead of options.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, get_args, get_origin
from weakref import WeakSet

from autoencoders.errors import PipelineError
from autoencoders.retraining import RetrainingSettings
from tasks.engine.errors import (
    AliasDamagedError,
    DiskFullError,
    EngineError,
    NoTargetError,
    NotWritableError,
    PlaceError,
    TargetDamagedError,
)
from tasks.engine.refusals import Refusals

USER_ERRORS = (PipelineError, EngineError)
"""Everything that a user can fix: shown as one message, without a traceback."""
ANOTHER_CHAMPION = (
    "Put it back from a copy, or go back to another champion (`autoencoders rollback`, or with "
    "--to RUN); if there is none, begin anew in another folder with --artifacts."
)
COMMANDS: dict[type[Exception], str] = {
    DiskFullError: (
        "Free some space (`autoencoders gc --keep-last 3` with the same --artifacts may help), or "
        "give another folder with --artifacts, and run again; finished steps are kept."
    ),
    AliasDamagedError: (
        "Put the file back from a copy, or say which run is the champion: `autoencoders rollback "
        "--to RUN`; if no other decision is there, remove it, and the next retraining promotes a "
        "first champion."
    ),
    NoTargetError: ANOTHER_CHAMPION,
    TargetDamagedError: ANOTHER_CHAMPION,
    NotWritableError: "Make it writable, or give another folder with --artifacts, and run again.",
    PlaceError: (
        "Remove what is in the way, or give another folder with --artifacts, and run again."
    ),
}
KEPT = "Finished steps, and finished epochs of a training, are not repeated."
RESUME = f"Nothing is lost: fix the cause and run it again. {KEPT}"
STOPPED = f"stopped. Nothing is lost: run the same command again to resume. {KEPT}"
ARGUMENTS = (
    "data", "artifacts", "preset", "inbox", "input", "output", "model", "shifts", "format",
    "network", "grid", "search", "space", "seeds", "sizes",
)  # fmt: skip
"""Options of jobs that are parameters of the same name; all others are settings."""

Place = Literal["command line", "Python", "deployment"]
_PLACE: ContextVar[Place] = ContextVar("place", default="deployment")
_WORDED: WeakSet[Exception] = WeakSet()
"""Errors whose problem is the whole message already."""


@contextmanager
def read_in(place: Place) -> Iterator[None]:
    """Word what is said within this block for this place."""
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)


@contextmanager
def called_from_python() -> Iterator[None]:
    """Word what is said within this block for a call from Python, unless a command made it."""
    with read_in("command line" if _PLACE.get() == "command line" else "Python"):
        yield


def resume() -> str:
    """Say what to do about a run that failed or crashed."""
    what = "the same command" if _PLACE.get() == "command line" else "it"
    return RESUME.replace("run it", f"run {what}")


def in_words(error: PipelineError | EngineError) -> str:
    """Return the message of an error, in the words of the place where it is read."""
    if error in _WORDED:
        return error.problem
    return in_place(f"{error.problem} {COMMANDS.get(type(error), error.advice)}".strip())


def in_place(text: str) -> str:
    """Return a text that names options in the words of the place where it is read."""
    return text if _PLACE.get() == "command line" else in_parameters(text)


def _word(error: Exception) -> None:
    """Make `in_words` the text of an error."""
    assert isinstance(error, USER_ERRORS)
    error.problem, error.advice = in_words(error), ""
    _WORDED.add(error)


REFUSALS = Refusals(USER_ERRORS, _word)


def in_parameters(text: str) -> str:
    """Return a text in which options of the command line are the parameters of the flow.

    Options with values become one value of the parameter: `--image.height 8 --image.width 8` is
    `settings={"image": {"height": 8, "width": 8}}`. One without a value is only named.
    """
    return _OPTIONS.sub(_as_parameters, text)


def _fields() -> dict[str, Any]:
    """Return the type of each setting, by the name of its option."""
    fields: dict[str, Any] = dict.fromkeys(ARGUMENTS)
    for group, field in RetrainingSettings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        if inner is None:
            fields[group] = field.annotation
        else:
            fields |= {f"{group}.{name}": one.annotation for name, one in inner.items()}
    return fields


def _values(annotation: Any) -> list[str]:
    """Return patterns of the values that a setting of this type may have in an advice."""
    if annotation is bool:
        return ["true", "false"]
    if annotation in (int, float):
        return [r"-?\d+(?:\.\d+)?"]
    if get_origin(annotation) is Literal:
        return [re.escape(str(value)) for value in get_args(annotation)]
    return [pattern for one in get_args(annotation) for pattern in _values(one)]


_FIELDS = _fields()
_GIVEN = "|".join(
    rf"--{re.escape(name)} (?:{'|'.join(values)})\b"
    for name, annotation in _FIELDS.items()
    if (values := _values(annotation))
)
_NAMED = rf"--(?:{'|'.join(map(re.escape, _FIELDS))})\b"
_OPTIONS = re.compile(rf"(?:{_GIVEN})(?: (?:{_GIVEN}))*|{_NAMED}")


def _as_parameters(match: re.Match[str]) -> str:
    words = re.sub(r"(^| )--", r"\1", match[0]).split()
    if len(words) == 1:
        name = words[0]
        return f"`{name}`" if name in ARGUMENTS else f"`settings.{name}`"
    settings: dict[str, Any] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        *groups, field = name.split(".")
        place = settings
        for group in groups:
            place = place.setdefault(group, {})
        place[field] = _parsed(value, _FIELDS[name])
    return f"settings={json.dumps(settings)}"


def _parsed(text: str, annotation: Any) -> Any:
    """Return the value of a setting as JSON has it."""
    if get_origin(annotation) is tuple:
        return [text]
    return text if get_origin(annotation) is Literal else json.loads(text)
