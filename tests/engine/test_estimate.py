"""What a plan may cost, by what its steps cost the last time."""

import shutil

import pytest

from tasks.engine.explain import estimate, estimated_total
from tasks.engine.files import reference
from tasks.engine.journal import RunRecord, StepRecord
from tasks.engine.runner import Planner
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tests.engine.toy import double, pipeline


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


def number(folder, value):
    """Write a file that holds a number; return its reference."""
    path = folder / f"{value}.txt"
    path.write_text(str(value))
    return reference(path)


def doubled(store, ref, day):
    """Compute the first step; return the record of the run that did."""
    artifact = stage_of(double).compute(store, {"number": ref})
    return RunRecord(
        name=f"2026010{day}-000000-run", started="2026-01-01T00:00:00+00:00", data={}, settings={},
        steps=(StepRecord(step="double", stage="double", key=artifact.key),),
    )  # fmt: skip


def planned(store, ref):
    planner = Planner(store)
    pipeline(planner, {"number": ref}, 1)
    return planner.steps


def test_a_step_costs_what_it_cost_the_last_time(store, tmp_path):
    """In the newest run that has its artifact, whatever its inputs were; seconds and bytes."""
    runs = [doubled(store, number(tmp_path, value), day) for day, value in ((1, 5), (2, 5000))]
    steps = planned(store, number(tmp_path, 7))
    first, second = (estimate(store, step, runs) for step in steps)

    assert [step.state for step in steps] == ["compute", "depends"]
    assert first.size == len("10000")
    assert first.seconds == store.manifest("double", runs[1].steps[0].key).seconds
    assert second is None
    assert estimate(store, steps[0], runs[:1]).size == len("10")


def test_what_is_cached_costs_nothing(store, tmp_path):
    """And what was never computed, or is gone, is not guessed."""
    ref = number(tmp_path, 5)
    runs = [doubled(store, ref, 1)]
    assert estimate(store, planned(store, ref)[0], runs) is None
    steps = planned(store, number(tmp_path, 6))
    shutil.rmtree(store.root / "double")

    assert estimate(store, steps[0], runs) is None
    assert estimate(store, steps[0], []) is None


def test_the_total_says_what_is_known_and_what_is_not(store, tmp_path):
    """One line, whether all, some or none of the steps were computed before."""
    ref = number(tmp_path, 5)
    runs = [doubled(store, ref, 1)]
    steps = planned(store, number(tmp_path, 6))
    estimates = [estimate(store, step, runs) for step in steps]

    assert "2 of 2 steps" in estimated_total(steps, estimates)
    assert "1 of them were not computed before" in estimated_total(steps, estimates)
    assert "not known yet" in estimated_total(steps, [None, None])
    assert estimated_total(steps, [estimates[0]] * 2).endswith(" s and wrote 0.0 MB.")
    assert "1 of 2 steps" in estimated_total(planned(store, ref), [None, None])
    assert "nothing to compute" in estimated_total(planned(store, ref)[:1], [None])
