"""Aliases: what a name stands for, who may change it, and what is kept of its history."""

import contextlib
import hashlib
import json
import multiprocessing
import random
import time

import pytest

from tasks.engine.aliases import FORMER, Alias, aliases
from tasks.engine.decisions import Target
from tasks.engine.errors import AliasDamagedError, DamagedError, MovedError, NoTargetError
from tasks.engine.gc import collect_garbage
from tasks.engine.journal import finished_runs
from tasks.engine.store import Store
from tasks.engine.verify import verify_aliases

CONTENT = b"some weights"


def name_of(number: int) -> str:
    return f"20250101-{number:06d}-run"


def target(number: int) -> Target:
    return Target(
        run=name_of(number), files={"model.bin": hashlib.sha256(CONTENT).hexdigest()}
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    """A store with nine finished runs, each with one file."""
    store = Store(tmp_path / "artifacts")
    for number in range(1, 10):
        folder = store.root / "runs" / name_of(number)
        folder.mkdir(parents=True)
        record = {"version": 1, "name": name_of(number), "flow": "toy", "started": "", "data": {},
                  "settings": {}, "steps": [], "state": "finished"}  # fmt: skip
        (folder / "run.json").write_text(json.dumps(record))
        (folder / "model.bin").write_bytes(CONTENT)
    return store


@pytest.fixture
def alias(store):
    """An alias that names the first run."""
    alias = Alias(store, "best")
    alias.decide("first", {}, over=0, target=target(1), by=name_of(1))
    return alias


def named(alias: Alias) -> str:
    return alias.current().target.run


def test_an_alias_names_nothing_at_first(store):
    """And a store without aliases has none."""
    assert Alias(store, "best").current() is None
    assert aliases(store) == []


def test_a_decision_with_a_target_moves_it_and_one_without_does_not(alias):
    """Both stay in the history, with their reasons."""
    alias.decide("refused", {"gain": -0.5}, over=1)
    alias.decide("moved", {"gain": 0.5}, over=1, target=target(2))
    found = list(alias.decisions())

    assert named(alias) == name_of(2)
    assert [(one.event, one.over, one.facts) for one in found] == [
        ("moved", 1, {"gain": 0.5}), ("refused", 1, {"gain": -0.5}), ("first", 0, {}),
    ]  # fmt: skip
    assert alias.problems() == []


def test_a_decision_about_what_is_no_longer_named_is_refused(alias):
    """It was measured against something else; nothing is written."""
    alias.decide("moved", {}, over=1, target=target(2))
    with pytest.raises(MovedError):
        alias.decide("moved", {}, over=1, target=target(3))

    assert named(alias) == name_of(2)
    assert len(list(alias.decisions())) == 2


def test_a_target_that_is_not_there_is_refused(alias, store):
    """A run that does not exist, or a file that was changed: the alias stays as it is."""
    with pytest.raises(NoTargetError):
        alias.decide("moved", {}, over=1, target=Target(run=name_of(77), files={}))
    (store.root / "runs" / name_of(2) / "model.bin").write_bytes(b"others")
    with pytest.raises(DamagedError):
        alias.decide("moved", {}, over=1, target=target(2))

    assert named(alias) == name_of(1)


@pytest.mark.parametrize("spoil", [
    pytest.param(lambda path: path.write_text(path.read_text().replace("0001-run", "0003-run")),
                 id="edited"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:40]), id="cut"),
    pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
])  # fmt: skip
def test_a_damaged_decision_is_never_believed(alias, spoil):
    """What the alias names is then unknown, until somebody decides anew; garbage stays."""
    path = alias.folder / "00000001.json"
    path.chmod(0o644)
    spoil(path)
    with pytest.raises(AliasDamagedError, match="00000001"):
        alias.current()
    with pytest.raises(AliasDamagedError):
        alias.decide("moved", {}, over=1, target=target(2))
    with pytest.raises(AliasDamagedError):
        collect_garbage(alias.store, 1, dry_run=False)
    assert "00000001" in verify_aliases(alias.store)[0].problem

    alias.decide("set", {}, over=None, target=target(2))
    assert named(alias) == name_of(2)
    assert len(finished_runs(alias.store)) == 9


def test_a_decision_of_a_newer_version_asks_for_an_update(alias):
    """It is not damaged, and to decide anew over it would be wrong."""
    newer = {"version": 99, "target": {"runs": [name_of(2)]}}
    (alias.folder / "00000002.json").write_text(json.dumps(newer))

    with pytest.raises(AliasDamagedError, match=r"newer version of this project\. Update"):
        alias.current()


def test_a_damaged_decision_of_the_past_stops_nobody_from_going_back(alias):
    """Only to what it has named itself, which is not known any more."""
    for number in (2, 3, 4):
        alias.decide("moved", {}, over=number - 1, target=target(number))
    path = alias.folder / "00000002.json"
    path.chmod(0o644)
    path.write_bytes(b"")

    assert alias.former() == target(3)
    alias.decide("back", {}, over=4, target=target(3))
    with pytest.raises(AliasDamagedError, match="00000002"):
        alias.former()
    alias.decide("set", {}, over=None, target=target(1))
    assert alias.former() is None


def test_a_decision_that_was_taken_out_is_noticed(alias):
    """Each one names the content of the one before it."""
    for number in (2, 3):
        alias.decide("moved", {}, over=number - 1, target=target(number))
    (alias.folder / "00000002.json").unlink()

    assert ["does not follow" in one.problem for one in verify_aliases(alias.store)] == [True]


def test_a_target_that_was_damaged_is_noticed(alias, store):
    """A full check reads what the alias names."""
    (store.root / "runs" / name_of(1) / "model.bin").write_bytes(b"others")

    assert "changed after it was published" in verify_aliases(store)[0].problem


def test_what_an_alias_names_and_has_named_is_no_garbage(alias, store):
    """So many former targets stay; an older one goes."""
    for number in range(2, FORMER + 3):
        alias.decide("moved", {}, over=number - 1, target=target(number))
    collect_garbage(store, 1, dry_run=False)
    kept = [run.name for run in finished_runs(store)]

    assert kept == [name_of(number) for number in (*range(2, FORMER + 3), 9)]


def keep_moving(store: Store, times: int) -> None:
    """Move the alias again and again, each time to the next run."""
    alias = Alias(store, "best")
    for _ in range(times):
        moved = False
        while not moved:
            current = alias.current()
            over, now = (current.number, int(current.target.run[9:15])) if current else (0, 0)
            with contextlib.suppress(MovedError):
                alias.decide("moved", {"from": now}, over=over, target=target(now % 9 + 1))
                moved = True


def mover(store: Store, times: int) -> multiprocessing.Process:
    """Start a process that does so."""
    process = multiprocessing.get_context("fork").Process(target=keep_moving, args=(store, times))
    process.start()
    return process


def check(alias: Alias) -> int:
    """Check that each move was one over what was named before it; return how many there were."""
    found = list(alias.decisions())[::-1]
    assert alias.problems() == []
    assert [one.over for one in found] == list(range(len(found)))
    assert [one.facts["from"] % 9 + 1 for one in found] == [
        int(one.target.run[9:15]) for one in found
    ]
    return len(found)


def test_two_processes_never_move_it_over_the_same_target(store):
    """Whoever comes second is refused, and decides again."""
    processes = [mover(store, 15) for _ in range(2)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]

    assert check(Alias(store, "best")) == 30


def test_processes_killed_at_random_moments_lose_no_decision(store):
    """Two at a time, killed twenty times: one target, every decision whole, none twice."""
    rng, alias, before = random.Random(0), Alias(store, "best"), 0
    processes = [mover(store, 10_000) for _ in range(2)]
    for kill in range(20):
        time.sleep(rng.uniform(0, 0.1))
        processes[kill % 2].kill()
        processes[kill % 2].join()
        if kill < 18:
            processes[kill % 2] = mover(store, 10_000)
        after = len(list(alias.decisions()))
        assert after >= before
        before = after

    assert check(alias) >= before > 20
