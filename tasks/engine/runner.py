"""Two ways through the same pipeline: running its steps, and planning them."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext

from .errors import DamagedError, InputError
from .files import friendly_os_errors, reference
from .handles import ArtifactRef, Output
from .journal import Journal
from .key import references
from .limits import Limit
from .manifest import Artifact, KeyParts
from .pool import run_apart
from .prefect_task import prefect_task
from .retries import with_retries
from .stage import stage_of
from .store import Store
from .watching import current_watcher, is_watched

P = ParamSpec("P")
E = TypeVar("E", bound=Exception)
StageFunction = Callable[Concatenate[Output, P], None]
PENDING = "pending:"
"""Scheme of the URI of a file that a step has yet to write."""


@dataclass(frozen=True)
class Step:
    """A step that is yet to be done."""

    label: str
    function: Callable[..., None]
    inputs: Mapping[str, Any]


class Steps(Protocol):
    """How a pipeline is written: each step's inputs are earlier steps' outputs."""

    def __call__(
        self, label: str, function: StageFunction[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Artifact:
        """Do one step: the stage `function` with these inputs; `label` is what people see."""


class StepsTogether(Steps, Protocol):
    """A way through a pipeline that also does several steps at a time."""

    def together(self, steps: Sequence[Step], tolerated: type[E]) -> list[Artifact | E]:
        """Do steps that do not depend on each other.

        Args:
            steps: What is done.
            tolerated: Errors of one step that leave the others alone.

        Returns:
            The output of each step in order, or the error of that type that it raised.
        """


class Runner:
    """Runs the steps under Prefect, and keeps the journal."""

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
        return _artifact(state)

    def together(self, steps: Sequence[Step], tolerated: type[E]) -> list[Artifact | E]:
        """Run steps that do not depend on each other: as many at a time as the limit allows that
        the first of them counts against, each of them in a process of its own; or here, one after
        the other, if that is one. What is cached is taken here.

        Raises:
            Exception: Whatever a step raised that is not tolerated.
        """
        limit = self.limits.get(stage_of(steps[0].function).limit or "") if steps else None
        missing = [place for place, one in enumerate(steps) if not self._is_cached(one)]
        most, states = min(len(missing), limit.slots if limit else 1), dict[int, State]()
        if most > 1:
            states = dict(
                zip(missing, self._apart([steps[one] for one in missing], most), strict=True)
            )
        calls = (
            partial(_artifact, states[place])
            if place in states else partial(self, one.label, one.function, **one.inputs)
            for place, one in enumerate(steps)
        )  # fmt: skip
        return [_outcome(call, tolerated) for call in calls]

    def _is_cached(self, step: Step) -> bool:
        stage = stage_of(step.function)
        try:
            self.store.find(stage.name, stage.key_parts(stage.bind(**step.inputs)).key)
        except DamagedError:
            return False
        return True

    def _apart(self, steps: Sequence[Step], most: int) -> list[State]:
        """Run steps in processes of their own; return how each ended."""
        started, calls, places = time.monotonic(), [], []
        what = f"{len(steps)} steps, {most} at a time"
        current_watcher().begins(what)
        for one in steps:
            stage = stage_of(one.function)
            inputs = stage.bind(**one.inputs)
            key = stage.key_parts(inputs).key
            places.append(self.journal.begin(one.label, stage.name, key))
            parameters = {"root": str(self.store.root), "label": one.label, "inputs": inputs,
                          "key": key, "limits": self.limits}  # fmt: skip
            calls.append((prefect_task(stage), parameters))
        with friendly_os_errors(self.store.root):
            states = run_apart(calls, most, quiet=is_watched())
        seconds = round(time.monotonic() - started, 3)
        for place, state in zip(places, states, strict=True):
            self.journal.end(state.name or "", seconds, place)
        current_watcher().ends(what, "Completed", seconds)
        return states


def _artifact(state: State) -> Artifact:
    """Return what a stage has published, by the state of its task.

    Raises:
        Exception: Whatever the stage raised.
    """
    try:
        return Artifact.model_validate(state.result(), strict=False)
    finally:
        if (context := FlowRunContext.get()) is not None:
            # Prefect draws arrows between tasks by the addresses of their results in memory; ours
            # are freed, and whatever comes to lie there next would get an arrow for nothing
            context.run_results.clear()


def _outcome(call: Callable[[], Artifact], tolerated: type[E]) -> Artifact | E:
    try:
        return call()
    except tolerated as error:
        return error


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

    def together(self, steps: Sequence[Step], tolerated: type[E]) -> list[Artifact | E]:
        """Plan steps."""
        return [self(one.label, one.function, **one.inputs) for one in steps]


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
