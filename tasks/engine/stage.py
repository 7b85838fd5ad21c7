"""A marked function as the engine sees it: its key, and its published output."""

import contextlib
import datetime
import functools
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from .cost import Meter
from .handles import ArtifactRef, Report, StageMark
from .key import examine, references
from .libraries import require_same_versions
from .manifest import Artifact, KeyParts
from .sources import expecting, track
from .store import Store


class Stage:
    """What `@stage` marked: a function `(output, **inputs) -> None` that writes files."""

    def __init__(self, function: Callable[..., None], mark: StageMark) -> None:
        """Take the function; the package that it is in counts as the project's own code."""
        self.function = function
        self.name = mark.name
        self.limit = mark.limit
        self.module = function.__module__
        track(self.module.partition(".")[0])

    def bind(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the inputs by name, defaults included."""
        bound = inspect.signature(self.function).bind(None, *args, **kwargs)
        bound.apply_defaults()
        return dict(list(bound.arguments.items())[1:])

    def key_parts(self, inputs: Mapping[str, Any]) -> KeyParts:
        """Return everything that decides what this stage writes for `inputs`."""
        return examine(self.name, self.module, inputs)[0]

    def compute(
        self, store: Store, inputs: Mapping[str, Any], report: Report | None = None
    ) -> Artifact:
        """Run the function and publish what it wrote, without Prefect and without a lock.

        Raises:
            EngineError: If an input has changed, the code was edited meanwhile, or the disk is
                full; nothing is published then.
            Exception: Whatever the function raises.
        """
        started, meter = time.monotonic(), Meter(report)
        parts, sources = examine(self.name, self.module, inputs)
        local = _fetched(store, inputs)
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(store.writing(parts.stage, parts.key, meter))
            meter.resume(output.scratch)
            stack.enter_context(expecting(sources))
            self.function(output, **local)
            for _, ref in references(inputs):
                if not store.owns(ref):
                    store.fetch(ref)  # nobody replaced the user's file while it was read
            require_same_versions(parts.libraries)
            return store.publish(
                output,
                parts,
                created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - started, 3),
                cpu_seconds=meter.seconds,
            )


@functools.cache
def stage_of(function: Callable[..., None]) -> Stage:
    """Return the stage that `@stage` marked.

    Raises:
        TypeError: If the function is not marked.
    """
    mark = getattr(function, "__stage__", None)
    if not isinstance(mark, StageMark):
        raise TypeError(f"{function} is not a stage; mark it with @stage.")
    if vars(sys.modules[function.__module__]).get(mark.name) is not function:
        raise TypeError(f"{function} must be at the top level of its module, under its own name: "
                        "a key knows it by that.")  # fmt: skip
    return Stage(function, mark)


def _fetched(store: Store, value: Any) -> Any:
    """Return inputs in which every file is on this machine and has the content it should have."""
    if isinstance(value, ArtifactRef):
        return store.fetch(value)
    if isinstance(value, Mapping):
        return {name: _fetched(store, one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value  # as the key has it
