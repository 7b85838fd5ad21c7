"""What makes a plain function a stage: its key, its Prefect task, its published output."""

import contextlib
import datetime
import importlib
import inspect
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec

from prefect import Task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.transactions import IsolationLevel
from pydantic import BaseModel

from autoencoders.errors import PipelineError
from tasks.cache import SERIALIZER, ArtifactStorage, KernelLocks, address
from tasks.code import code_parts, edited_since_read, library_versions, reached
from tasks.retries import DELAYS, retry_condition
from tasks.store import Artifact, ArtifactRef, KeyParts, Output, Store

P = ParamSpec("P")
LOCKS = KernelLocks()


class Stage(Generic[P]):
    """A function `(output, **inputs) -> None` that reads files and settings and writes files.

    Its inputs are references to files, mappings of them, settings models, and plain JSON values;
    all of them are part of its key. Nothing else may decide what it writes.
    """

    def __init__(self, function: Callable[Concatenate[Output, P], None]) -> None:
        """Make the Prefect task of `function`, named as the function is.

        This happens while the module of `function` is imported: its code is read right then, so
        the key speaks of the code that runs, whatever is edited later.
        """
        self.function = function
        self.name = function.__name__
        self.module = function.__module__
        self.code = code_parts(self.module)
        self.libraries = library_versions(self.module)
        self.task = self._make_task()

    def parts(self, inputs: Mapping[str, Any]) -> KeyParts:
        """Return everything that decides what this stage writes for `inputs`."""
        return KeyParts(
            stage=self.name,
            settings={
                name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
                for name, value in inputs.items()
                if not isinstance(value, ArtifactRef | Mapping)
            },
            inputs={name: ref.sha256 for name, ref in references(inputs)},
            code=self.code,
            libraries=self.libraries,
        )

    def named(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """Return the inputs by name, defaults included."""
        bound = inspect.signature(self.function).bind(None, *args, **kwargs)
        bound.apply_defaults()
        return dict(list(bound.arguments.items())[1:])

    def compute(self, store: Store, inputs: dict[str, Any]) -> Artifact:
        """Run the function and publish what it wrote, without Prefect and without a lock.

        Raises:
            PipelineError: If an input has changed, the code was edited meanwhile, the disk is
                full, or whatever the stage itself raises; nothing is published then.
        """
        started = time.monotonic()
        parts = self.parts(inputs)
        self._load_code()
        for _, ref in references(inputs):
            ref.checked()
        with store.writing(parts.stage, parts.key) as output:
            self.function(output, **inputs)  # type: ignore[call-arg]
            return store.publish(
                output,
                parts,
                created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - started, 3),
            )

    def _load_code(self) -> None:
        """Import what the key speaks of and is not yet imported, and see that it is the same.

        Raises:
            PipelineError: If a file was edited after its code went into the key.
        """
        fresh = [module for module in reached(self.module)[0] if module not in sys.modules]
        with _quiet_libraries():
            for module in fresh:
                importlib.import_module(module)
        if edited := edited_since_read(fresh):
            raise PipelineError(
                f"The code was edited while it was being loaded ({', '.join(edited)}); nothing "
                "was computed with it. Run again."
            )

    def _make_task(self) -> Task[..., dict[str, Any]]:
        def run(root: str, label: str, inputs: dict[str, Any]) -> dict[str, Any]:
            return self.compute(Store(Path(root)), inputs).model_dump()

        task = Task(
            run,
            name=self.name.replace("_", " "),
            description=self.function.__doc__,
            task_run_name="{label}",
            cache_policy=_StageKey(
                stage=self, lock_manager=LOCKS, isolation_level=IsolationLevel.SERIALIZABLE
            ),
            result_serializer=SERIALIZER,
            retries=len(DELAYS),
            retry_delay_seconds=DELAYS,
            retry_condition_fn=retry_condition,
            cache_result_in_memory=False,  # a deleted artifact must not be served from memory
        )
        # Prefect's constructor asks for a storage that is registered with a server; this one
        # holds no state and needs none.
        task.result_storage = ArtifactStorage()
        return task


def stage(function: Callable[Concatenate[Output, P], None]) -> Stage[P]:
    """Make a stage of `function`; see `Stage`."""
    return Stage(function)


@dataclass
class _StageKey(CachePolicy):
    """Prefect's view of a stage's key."""

    stage: Stage[Any] | None = None

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str:
        """Return the address of the artifact that the stage would publish."""
        assert self.stage is not None
        parts = self.stage.parts(inputs["inputs"])
        return address(inputs["root"], parts.stage, parts.key)


def set_up_libraries() -> None:
    """Tell TensorFlow what it reads from the environment; to be called before it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if platform.machine() in ("x86_64", "AMD64"):
        # On processors without AVX-512 it would leave oneDNN alone and take twice as long; the
        # choice is made for all, since it decides the last bits of every result
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep what TensorFlow's C++ part prints while it is imported off the terminal.

    It writes half a dozen lines on every machine without a GPU before any of its settings are read;
    what goes wrong arrives as an exception all the same.
    """
    set_up_libraries()
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def references(inputs: Mapping[str, Any]) -> Iterator[tuple[str, ArtifactRef]]:
    """Yield every file among a stage's inputs with its name, `a.b` for the b in a mapping a."""
    for name, value in inputs.items():
        if isinstance(value, ArtifactRef):
            yield name, value
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{role}", ref) for role, ref in references(value))
