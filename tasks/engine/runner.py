"""Two ways through the same pipeline: running its steps, and planning them."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, Protocol

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext

from .errors import DamagedError, InputError
from .files import friendly_os_errors, reference
from .handles import ArtifactRef, Output
from .journal import Journal
from .key import references
from .limits import Limit
from .manifest import Artifact, KeyParts
from .prefect_task import prefect_task
from .retries import with_retries
from .stage import stage_of
from .store import Store
from .watching import current_watcher

P = ParamSpec("P")
StageFunction = Callable[Concatenate[Output, P], None]
PENDING = "pending:"
"""Scheme of the URI of a file that a step has yet to write."""


class Steps(Protocol):
    """How a pipeline is written: each step's inputs are earlier steps' outputs."""

    def __call__(
        self, label: str, function: StageFunction[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Artifact:
        """Do one step: the stage `function` with these inputs; `label` is what people see."""


class Runner:
    """Runs the steps under Prefect, one after the other, and keeps the journal."""

    def __init__(self, store: Store, journal: Journal, limits: Mapping[str, Limit]) -> None:
        """Let stages publish in `store`, within the `limits` that they name."""
        self.store = store
        self.journal = journal
        self.limits = limits

    def __call__(
        self, label: str, function: StageFunction[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Artifact:
        """Run one stage, or take its output from the cache.

        Raises:
            Exception: Whatever the stage raised.
        """
        started = time.monotonic()
        current_watcher().begins(label)
        stage = stage_of(function)
        inputs = stage.bind(*args, **kwargs)
        key = stage.key_parts(inputs).key
        self.journal.begin(label, stage.name, key)
        with friendly_os_errors(self.store.root):
            state: State = prefect_task(stage)(  # type: ignore[assignment]
                str(self.store.root), label, inputs, key, self.limits, return_state=True
            )
        seconds = round(time.monotonic() - started, 3)
        self.journal.end(state.name or "", seconds)
        current_watcher().ends(label, state.name or "", seconds)
        artifact = Artifact.model_validate(state.result(), strict=False)
        if (context := FlowRunContext.get()) is not None:
            # Prefect draws arrows between tasks by the addresses of their results in memory; ours
            # are freed, and whatever comes to lie there next would get an arrow for nothing
            context.run_results.clear()
        return artifact


@dataclass(frozen=True)
class PlannedStep:
    """What a step would do."""

    label: str
    stage: str
    state: Literal["cached", "compute", "depends"]
    """`depends`: on whether an earlier step writes the same bytes as before."""
    parts: KeyParts | None
    """What decides its output; None where that is not known before an earlier step has run."""


class PendingArtifact(Artifact):
    """An artifact that is yet to be computed: any of its files can be named."""

    def __getitem__(self, name: str) -> ArtifactRef:
        """Return a reference that no stage can open."""
        return ArtifactRef(uri=f"{PENDING}{self.stage}/{name}", sha256="0" * 64, size=0)


class Planner:
    """Looks what each step would do, and does nothing."""

    def __init__(self, store: Store) -> None:
        """Look into `store`."""
        self.store = store
        self.steps: list[PlannedStep] = []

    def __call__(
        self, label: str, function: StageFunction[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Artifact:
        """Plan one step."""
        stage = stage_of(function)
        inputs = stage.bind(*args, **kwargs)
        if is_pending(ref for _, ref in references(inputs)):
            self.steps.append(PlannedStep(label, stage.name, "depends", None))
            return PendingArtifact(stage=stage.name, key="", files={})
        parts = stage.key_parts(inputs)
        try:
            artifact = self.store.find(parts.stage, parts.key)
        except DamagedError:
            self.steps.append(PlannedStep(label, stage.name, "compute", parts))
            return PendingArtifact(stage=stage.name, key="", files={})
        self.steps.append(PlannedStep(label, stage.name, "cached", parts))
        return artifact


def is_pending(refs: Iterable[ArtifactRef]) -> bool:
    """Return whether a step has yet to write one of these files, of a pipeline that is planned."""
    return any(ref.uri.startswith(PENDING) for ref in refs)


def input_refs(paths: Mapping[str, Path]) -> dict[str, ArtifactRef]:
    """Look at the content of a user's files.

    Args:
        paths: The files by role.

    Raises:
        InputError: If one cannot be read, after some tries where that may help.
    """
    return {role: _input_ref(path) for role, path in paths.items()}


def _input_ref(path: Path) -> ArtifactRef:
    try:
        return with_retries(reference, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
