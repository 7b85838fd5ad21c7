"""Two retrainings at once, and retrainings that are killed: one champion, and its evidence."""

import json
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.champion import CHAMPION, NETWORK, champion_of
from tasks.engine.aliases import Alias
from tasks.engine.journal import run_folder
from tasks.engine.store import Store
from tests.support import HOME, published_is_whole, write_dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
OPTIONS = ("--preset", "quick", "--image.height", 12, "--image.width", 12, "--training.epochs", 1,
           "--noise.factor", 1.0, "--retrain.images", 20)  # fmt: skip
"""So much noise that any network is better than none."""


def start(artifacts: Path, data: Path, environment: dict[str, str], *more: object):
    """Start a retraining, standard output and error in one stream."""
    arguments = [HOME / "flows" / "retrain.py", "--data", data, "--artifacts", artifacts,
                 *OPTIONS, *more]  # fmt: skip
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def check(store: Store) -> int:
    """Check that there is one champion at most, with its evidence; return how many decisions."""
    alias = Alias(store, CHAMPION)
    found = list(alias.decisions())[::-1]
    assert alias.problems() == []
    current = 0
    for decision in found:
        assert decision.over == current, "decided about a champion that was none"
        assert decision.facts["reasons"]
        if decision.target is not None:
            current = decision.number
            folder = run_folder(store, decision.target.run)
            written = json.loads((folder / "decision.json").read_text())
            assert written["event"] == decision.event == "promoted"
            assert written["challenger"] == decision.target.files[NETWORK]
    assert (champion_of(store) is not None) == (current > 0)
    return len(found)


@pytest.fixture(scope="module")
def cached(tmp_path_factory, server_environment):
    """The data, a store in which every step is cached and nothing was decided yet, and how long a
    retraining takes there."""
    folder = tmp_path_factory.mktemp("cached")
    data, artifacts = write_dataset(folder / "data", side=12), folder / "artifacts"
    for _ in range(2):
        began = time.monotonic()
        process = start(artifacts, data, server_environment)
        output = process.communicate(timeout=600)[0]
        assert process.returncode == 0, output
        assert "Promoted: " in output
        shutil.rmtree(artifacts / "aliases")
        shutil.rmtree(artifacts / "runs")
    return data, artifacts, time.monotonic() - began


@pytest.mark.parametrize("moments", [pytest.param(20, id="20")])
def test_a_retraining_killed_at_random_moments_leaves_one_champion_or_none(
    cached, tmp_path, server_environment, moments
):
    """And the next one ends as if nothing had happened: promoted, or nothing new."""
    data, artifacts, seconds = cached
    rng, ends = random.Random(0), []
    for moment in range(moments):
        store = Store(tmp_path / str(moment))
        shutil.copytree(artifacts, store.root, symlinks=True)
        process = start(store.root, data, server_environment)
        time.sleep(rng.uniform(0.3, 1.0) * seconds)
        process.kill()
        process.communicate()
        before = check(store)
        assert published_is_whole(store.root)

        process = start(store.root, data, server_environment)
        output = process.communicate(timeout=600)[0]
        assert process.returncode == 0, output
        assert check(store) == 1
        ends.append(re.findall(r"^(Promoted|Nothing new): ", output, re.MULTILINE)[-1])
        assert ends[-1] == ("Nothing new" if before else "Promoted")
    assert "Promoted" in ends


def test_of_two_retrainings_at_once_one_is_first(cached, tmp_path, server_environment):
    """Both have trained their challenger when there was no champion; the second is then compared
    with the first, which is no better than chance."""
    data, artifacts, _ = cached
    store = Store(tmp_path / "two")
    shutil.copytree(artifacts, store.root, symlinks=True)
    processes = [start(store.root, data, server_environment, "--seed", seed) for seed in (1, 2)]
    outputs = [process.communicate(timeout=900)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    assert check(store) == 2
    assert sorted(one.event for one in Alias(store, CHAMPION).decisions()) == [
        "promoted", "refused",
    ]  # fmt: skip
