"""What a stage costs is measured in CPU seconds, once for all of its work."""

import time

import pytest

from tasks.engine.cost import SPENT, Meter
from tasks.engine.sources import track
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tests.engine.toy import double


def work(seconds: float) -> None:
    """Use so many CPU seconds."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_what_comes_before_the_work_costs_nothing():
    """Libraries are loaded by whichever stage is the first of a process."""
    meter = Meter(None)
    work(0.3)
    meter("", 0.0)
    work(0.1)

    assert 0.1 <= meter.seconds < 0.3


def test_waiting_costs_nothing():
    """Beside other work, or with a slow disk, the cost is the same."""
    meter = Meter(None)
    meter("", 0.0)
    time.sleep(0.4)

    assert meter.seconds < 0.3


def test_a_stage_that_never_says_how_far_it_is_costs_all_it_took():
    """There is nothing to tell its beginning from."""
    meter = Meter(None)
    work(0.2)

    assert meter.seconds >= 0.2


def test_what_was_done_before_a_kill_counts_once(tmp_path):
    """What came after the last line about progress is done again, and counts when it is."""
    first = Meter(None)
    first.resume(tmp_path)
    first("", 0.0)
    work(0.2)
    first("half", 0.5)
    kept = first.seconds
    work(0.3)  # and killed
    second = Meter(None)
    second.resume(tmp_path)
    second("resuming", 0.5)
    work(0.1)

    assert kept + 0.09 <= second.seconds < kept + 0.3


@pytest.mark.parametrize("note", ["", "much", "-5", "nan", "inf", "\udcff"])
def test_a_note_that_says_nothing_is_no_cost(tmp_path, note):
    """Somebody edited it, or it is not whole."""
    (tmp_path / SPENT).write_bytes(note.encode(errors="surrogateescape"))
    meter = Meter(None)
    meter.resume(tmp_path)

    assert meter.seconds < 0.2


def test_what_a_stage_reports_is_passed_on():
    """Measuring changes nothing of what people see."""
    seen = []
    meter = Meter(lambda line, share: seen.append((line, share)))
    meter("a line", None)
    meter("half", 0.5)

    assert seen == [("a line", None), ("half", 0.5)]


def test_the_cost_is_in_the_manifest_and_in_no_key(tmp_path, number):
    """So a step from the cache shows what it cost when it was computed."""
    track("tests", "tasks")
    store = Store(tmp_path / "artifacts")
    artifact = stage_of(double).compute(store, number)
    manifest = store.manifest(artifact.stage, artifact.key)

    assert manifest.cpu_seconds is not None
    assert manifest.cpu_seconds >= 0
    assert "cpu_seconds" not in manifest.parts.to_json()


@pytest.fixture
def number(tmp_path):
    """Inputs of the stage."""
    from tasks.engine.files import reference

    path = tmp_path / "number.txt"
    path.write_text("7")
    return {"number": reference(path)}
