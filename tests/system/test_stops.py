"""Stopping a run by hand: what a terminal, `timeout` or a closing window sends to a whole group."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import HOME, SMALL, descendants, published_is_whole, write_dataset
from tests.system.test_kills import wait_for

RESUME = "error: stopped. Nothing is lost: run the same command again to resume."


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small data."""
    return write_dataset(tmp_path_factory.mktemp("data"), side=12)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The environment of a run that finds no server, and starts a temporary one."""
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path_factory.mktemp("home"))}
    environment.pop("PREFECT_API_URL", None)
    return {**environment, "PREFECT_SERVER_API_PORT": "9"}  # where nothing answers


def gone(processes: dict[int, str]) -> bool:
    """Return whether none of these processes is there any more."""
    return not [number for number in processes if Path(f"/proc/{number}/exe").exists()]


@pytest.fixture
def running(data, alone, tmp_path):
    """A run in a group of its own, in its first training; and the processes below it."""
    arguments = [
        HOME / "flows" / "full.py", "--data", data, "--artifacts", tmp_path, *SMALL[:4],
        "--training.epochs", 100_000,
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], env=alone, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(process, "autoencoder: epoch 1/")
    below = descendants(process.pid)
    assert below
    yield process, below
    for number in (process.pid, *below):
        if not gone({number: ""}):
            os.kill(number, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
)
def test_a_signal_to_the_whole_group_ends_it_at_once(running, tmp_path, number, code):
    """Its temporary server is no part of that group: the run reports how it ended, says so in a
    line, and nothing stays behind."""
    process, below = running
    os.killpg(process.pid, number)
    output = process.communicate(timeout=60)[0]

    assert process.returncode == code
    assert output.count(RESUME) == 1
    assert "Traceback" not in output
    assert "ConnectError" not in output
    assert gone(below)
    assert published_is_whole(tmp_path)


@pytest.mark.slow
def test_a_signal_that_comes_twice_is_one(running):
    """As from `timeout`, which signals the process and then its group."""
    process, below = running
    os.kill(process.pid, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=60)[0]

    assert process.returncode == 143
    assert output.count(RESUME) == 1
    assert "Traceback" not in output
    assert gone(below)


@pytest.mark.long
def test_a_killed_run_takes_its_server_with_it(running):
    """However the run ends: nothing is left to be ended by hand."""
    process, below = running
    process.kill()
    process.communicate()
    for _ in range(120):
        if gone(below):
            break
        signal.sigtimedwait([], 0.25)

    assert gone(below)


@pytest.mark.slow
def test_a_run_whose_server_is_gone_ends_all_the_same(running):
    """It is told to stop, and nobody takes its last events: that costs seconds, not minutes."""
    process, below = running
    for number in below:
        os.kill(number, signal.SIGKILL)
    process.terminate()
    process.communicate(timeout=150)

    assert process.returncode in (1, 143)
