"""Two ways through the same pipeline: running its steps, and looking ahead."""

import time
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, Protocol

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext

from tasks.journal import Journal
from tasks.stage import Stage, references
from tasks.store import Artifact, ArtifactRef, KeyParts, Store, StoreError, explained

P = ParamSpec("P")
PENDING = "pending:"
"""Scheme of the URI of a file that a step has yet to write."""


class Steps(Protocol):
    """What a pipeline is told by: each step's inputs are earlier steps' outputs."""

    def __call__(
        self, label: str, stage: Stage[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Artifact:
        """Do one step; `label` is what people see."""


class Execution:
    """Runs the steps under Prefect, one after the other, and keeps the journal."""

    def __init__(self, store: Store, journal: Journal) -> None:
        """Let stages publish in `store`."""
        self.store = store
        self.journal = journal

    def __call__(
        self, label: str, stage: Stage[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Artifact:
        """Run one stage, or take it from the cache.

        Raises:
            Exception: Whatever the stage raised.
        """
        started = time.monotonic()
        inputs = stage.named(*args, **kwargs)
        self.journal.begin(label, stage.name, stage.parts(inputs).key)
        with explained(self.store.root):
            state: State = stage.task(  # type: ignore[assignment]
                str(self.store.root), label, inputs, return_state=True
            )
        self.journal.end(state.name or "", round(time.monotonic() - started, 3))
        artifact = Artifact.model_validate(state.result())
        if (context := FlowRunContext.get()) is not None:
            # Prefect draws arrows between tasks by the addresses of their results in memory; ours
            # are freed, and what comes to lie there next would get an arrow for nothing
            context.run_results.clear()
        return artifact


@dataclass(frozen=True)
class Planned:
    """What a step would do."""

    label: str
    stage: str
    state: Literal["cached", "compute", "depends"]
    """`depends`: on whether an earlier step writes other bytes than before."""
    parts: KeyParts | None
    """What decides its output; None where that is not known before an earlier step has run."""


class PendingArtifact(Artifact):
    """An artifact that is yet to be computed: any of its files can be named."""

    def __getitem__(self, name: str) -> ArtifactRef:
        """Return a reference that no stage can open."""
        return ArtifactRef(uri=f"{PENDING}{self.stage}/{name}", sha256="0" * 64, size=0)


class Planning:
    """Looks what each step would do, and does nothing."""

    def __init__(self, store: Store) -> None:
        """Look into `store`."""
        self.store = store
        self.steps: list[Planned] = []

    def __call__(
        self, label: str, stage: Stage[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Artifact:
        """Look one step ahead."""
        inputs: dict[str, Any] = stage.named(*args, **kwargs)
        if any(ref.uri.startswith(PENDING) for _, ref in references(inputs)):
            self.steps.append(Planned(label, stage.name, "depends", None))
            return PendingArtifact(stage=stage.name, key="", files={})
        parts = stage.parts(inputs)
        try:
            artifact = self.store.find(parts.stage, parts.key)
        except StoreError:
            self.steps.append(Planned(label, stage.name, "compute", parts))
            return PendingArtifact(stage=stage.name, key="", files={})
        self.steps.append(Planned(label, stage.name, "cached", parts))
        return artifact
