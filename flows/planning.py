"""What a run would compute, why, and what that cost the last time: for whoever asks before."""

from flows.tables import print_rows, warner
from tasks.engine.explain import estimate, estimated_total, explain_plan
from tasks.engine.published import all_runs
from tasks.engine.runner import Planner
from tasks.engine.store import Store


def print_plan(store: Store, planner: Planner, *, as_json: bool) -> None:
    """Print the steps that were planned, as a table with a line of their sum, or as JSON."""
    earlier = all_runs(store, warner())
    costs = [estimate(store, step, earlier) for step in planner.steps]
    rows = [
        {
            "step": step.label,
            "state": step.state,
            "last s": None if cost is None else cost.seconds,
            "last MB": None if cost is None else round(cost.size / 1e6, 2),
            "why": explain_plan(store, step, earlier),
        }
        for step, cost in zip(planner.steps, costs, strict=True)
    ]
    print_rows(rows, as_json=as_json)
    if not as_json:
        print(estimated_total(planner.steps, costs))
