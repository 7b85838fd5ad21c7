"""A stage as a Prefect task, cached and locked through Prefect's own extension points."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.transactions import IsolationLevel

from .limits import Limit, slot
from .prefect_cache import SERIALIZER, ArtifactStorage, KernelLocks, address
from .progress import StepReport
from .refusals import telling_once
from .retries import DELAYS, retry_condition
from .stage import Stage, stage_of
from .store import Store

LOCKS = KernelLocks()


@functools.cache
def prefect_task(stage: Stage) -> Task[..., dict[str, Any]]:
    """Return the Prefect task of a stage; it has the stage's name.

    The task takes the root of the store, the label of the step, the stage's inputs, their key and
    the limits by name, and returns the artifact as a JSON value.
    """

    def run(
        root: str, label: str, inputs: dict[str, Any], key: str, limits: Mapping[str, Limit]
    ) -> dict[str, Any]:
        report, store = StepReport(label), Store(Path(root))
        limit = limits.get(stage.limit) if stage.limit else None
        with (
            telling_once(retried=True),
            slot(stage.limit or "", limit, store, lambda line: report(line, None)),
        ):
            return stage.compute(store, inputs, report).model_dump()

    task = _StageTask(
        run,
        name=stage.name,
        description=stage.function.__doc__,
        task_run_name="{label}",
        cache_policy=_StageKey(
            stage=stage.name, lock_manager=LOCKS, isolation_level=IsolationLevel.SERIALIZABLE
        ),
        result_serializer=SERIALIZER,
        retries=len(DELAYS),
        retry_delay_seconds=DELAYS,
        retry_condition_fn=retry_condition,
        cache_result_in_memory=False,  # a deleted artifact must not be served from memory
    )
    # Prefect's constructor asks for a storage that is registered with a server; this one holds no
    # state and needs none
    task.result_storage = ArtifactStorage()
    task.stage_function = stage.function
    return task


class _StageTask(Task[..., dict[str, Any]]):
    """A task that another process makes anew from the stage that it is of."""

    stage_function: Callable[..., None]

    def __reduce__(self) -> tuple[Any, ...]:
        return _task_of, (self.stage_function,)


def _task_of(function: Callable[..., None]) -> Task[..., dict[str, Any]]:
    return prefect_task(stage_of(function))


@dataclass
class _StageKey(CachePolicy):
    """Prefect's view of a stage's key, which is computed once, before the task is called."""

    stage: str = ""

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str:
        """Return the address of the artifact that the stage would publish."""
        return address(inputs["root"], self.stage, inputs["key"])
