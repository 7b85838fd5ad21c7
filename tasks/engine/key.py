"""What decides the bytes of a stage: its settings, inputs, reachable code, libraries, environment.

Settings and functions are told from files by their type; the order of everything counts.
"""

import math
import os
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from pydantic import BaseModel

from .code import code_parts, definitions, reach
from .handles import ArtifactRef, FunctionRef
from .libraries import library_versions
from .manifest import FORMAT, KeyParts
from .sources import source_of

_watched: set[str] = set()


def watch_environment(*variables: str) -> None:
    """From now on, count these environment variables in every key, where they are set."""
    _watched.update(variables)


def examine(name: str, module: str, inputs: Mapping[str, Any]) -> tuple[KeyParts, dict[str, bytes]]:
    """Find out everything that decides what a stage writes.

    Args:
        name: The stage.
        module: Where it is defined.
        inputs: Its arguments by name. A function counts by its name and the code it reaches.

    Returns:
        The parts of its key, and the source of every module that it reaches: what runs must be
        exactly that.

    Raises:
        TypeError: If an input is of a kind that no key can speak of.
        ValueError: If a function is referred to that the project does not define.
        UnseenCodeError: If code that is reached reaches code that cannot be seen in it.
    """
    reached = reach({module, *_function_modules(inputs)})
    parts = KeyParts(
        engine=FORMAT,
        stage=name,
        settings={key: _setting(value, key) for key, value in inputs.items() if not _files(value)},
        inputs={key: ref.sha256 for key, ref in references(inputs)},
        code={"<stage>": f"{module}:{name}", **code_parts(reached)},
        libraries=library_versions(reached.libraries),
        environment={key: os.environ[key] for key in sorted(_watched) if key in os.environ},
    )
    return parts, reached.sources


def references(inputs: Mapping[str, Any]) -> Iterator[tuple[str, ArtifactRef]]:
    """Yield every file among a stage's inputs with its name, `a.b` for the b in a mapping a."""
    for name, value in inputs.items():
        if isinstance(value, ArtifactRef):
            yield name, value
        elif isinstance(value, Mapping):
            for inner, ref in references(value):
                yield f"{name}.{inner}", ref


def _files(value: Any) -> bool:
    """Return whether an input is a file or a mapping of files."""
    if isinstance(value, Mapping) and value and all(map(_files, value.values())):
        if bad := [name for name in value if not isinstance(name, str) or "." in name]:
            raise TypeError(f"Names of files must be strings without dots. Received: {bad[0]!r}")
        return True
    return isinstance(value, ArtifactRef)


def _setting(value: Any, name: str) -> Any:
    """Return an input that is no file as JSON, a function by its name."""
    if isinstance(value, BaseModel):
        _require_plain(value, name)
        return _setting(value.model_dump(mode="json"), name)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _setting(one, f"{name}.{key}") for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_setting(one, f"{name}[{index}]") for index, one in enumerate(value)]
    if isinstance(value, FunctionRef):
        return value.name
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise TypeError(
        f"`{name}` must be a file or function reference, a settings model, a JSON value, or a "
        "mapping from names to either files or other values, not both. Received: "
        f"{value if isinstance(value, float) else type(value)}"
    )


def _require_plain(model: BaseModel, name: str) -> None:
    """Refuse a settings model that is more than its values, since a key only knows these.

    Raises:
        TypeError: If it has methods or properties of its own, or a reference in a field.
    """
    for cls in type(model).__mro__[: type(model).__mro__.index(BaseModel)]:
        checks = vars(cls)["__pydantic_decorators__"]  # of values, before there is a model
        known = {*checks.model_validators, *checks.field_validators}
        for attribute, value in vars(cls).items():
            code = isinstance(value, property | FunctionType | classmethod | staticmethod)
            if code and attribute not in known and not attribute.startswith("__"):
                raise TypeError(
                    f"`{name}` must be plain values, since a key does not know the code of a "
                    f"model. Received: {cls.__name__}.{attribute}"
                )
    for field, value in model:
        if isinstance(value, ArtifactRef | FunctionRef):
            raise TypeError(f"`{name}.{field}` must be an input of the stage itself, not of a "
                            "model: its content would not be part of the key.")  # fmt: skip


def _function_modules(value: Any) -> Iterator[str]:
    """Yield the modules of all functions that an input refers to."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _function_modules(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _function_modules(one)
    elif isinstance(value, FunctionRef):
        module, _, function = value.name.partition(":")
        source = source_of(module)
        if source is None or function not in definitions(source):
            raise ValueError(f"{value.name}: the project has no such function.")
        yield module
