"""Why a step of a finished run was computed, or which run computed what it took."""

from collections.abc import Sequence

from tasks.engine.errors import StoreError
from tasks.engine.explain import Explanation, explain_key
from tasks.engine.journal import RunRecord, StepRecord
from tasks.engine.store import Store


def last_computed(earlier: Sequence[RunRecord], steps: Sequence[StepRecord]) -> RunRecord | None:
    """Return the last run that computed one of these steps, if the run at hand computed none."""
    if any(step.state != "Cached" for step in steps):
        return None
    keys = {step.key for step in steps}
    for run in reversed(earlier):
        if any(step.key in keys and step.state == "Completed" for step in run.steps):
            return run
    return None


def explained(store: Store, step: StepRecord, earlier: list[RunRecord]) -> Explanation:
    """Say why a step was computed again: what changed since an earlier run."""
    if step.state == "Cached":
        return Explanation(step.step, "taken from the cache", [])
    try:
        parts = store.manifest(step.stage, step.key).parts
    except StoreError as error:
        return Explanation(step.step, f"what it was computed from is lost: {error.problem}", [])
    return explain_key(store, step.step, parts, earlier)
