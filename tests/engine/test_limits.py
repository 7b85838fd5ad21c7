"""How many stages of a kind run at the same time on one machine."""

import datetime
import itertools
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from autoencoders.errors import PipelineError
from flows.ops.machine import operations
from tasks.engine.limits import Limit, slot
from tests.support import HOME, start, write_dataset

HOLDER = """
import sys, time
from pathlib import Path
from tasks.engine.limits import Limit, slot

with slot("training", Limit(2, Path(sys.argv[1])), print):
    print(1, flush=True)
    time.sleep(100)
"""


def trained_between(output: str) -> list[tuple[datetime.datetime, datetime.datetime]]:
    """Return the first and the last moment of each training in a log."""
    found = []
    for role in ("autoencoder", "denoiser"):
        times = re.findall(rf"^([\d:.]+) .* {role}: epoch", output, re.M)
        found.append(
            (datetime.datetime.fromisoformat(f"2000-01-01T{times[0]}"),
             datetime.datetime.fromisoformat(f"2000-01-01T{times[-1]}"))
        )  # fmt: skip
    return found


@pytest.mark.slow
def test_runs_of_one_machine_train_in_turns(tmp_path, server_environment):
    """Whatever folders they write to: no training begins before another one's end."""
    data = write_dataset(tmp_path / "data", side=12)
    environment = {
        **server_environment, "TMPDIR": str(tmp_path), "AUTOENCODERS_TRAININGS": "",
    }  # fmt: skip
    processes = [start(tmp_path / name, data, environment) for name in "ab"]
    outputs = [process.communicate(timeout=280)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    trainings = sorted(one for output in outputs for one in trained_between(output))
    for (_, ended), (begun, _) in itertools.pairwise(trainings):
        assert ended <= begun


def test_a_killed_holder_frees_its_slot(tmp_path):
    """While it lives, the limit counts it, and whoever waits says so."""
    lock = tmp_path / "training"
    said = []
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, cwd=HOME
    )
    assert holder.stdout.readline() == b"1\n"

    def wait():
        with slot("training", Limit(2, lock), said.append):
            pass

    with slot("training", Limit(2, lock), said.append):
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive()
        assert said == ["Waiting for a slot: 2 of 2 for training are in use."]
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        waiting.join(10)
        assert not waiting.is_alive()
    holder.stdout.close()


def test_without_a_limit_there_is_nothing_to_wait_for(tmp_path):
    """A stage that names no limit, or one that nobody has set."""
    said = []
    with slot("", None, said.append), slot("", None, said.append):
        pass

    assert said == []


@pytest.mark.parametrize("name", ["AUTOENCODERS_TRAININGS", "AUTOENCODERS_KEEP_RUNS"])
@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²", " 1"])
def test_a_wrong_setting_of_the_machine_is_refused(monkeypatch, name, text):
    """By its name, with what arrived."""
    monkeypatch.setenv(name, text)
    with pytest.raises(PipelineError) as caught:
        operations()

    assert str(caught.value).startswith(f"{name}={text}: expected a whole number")


def test_the_settings_of_the_machine_reach_the_runs(monkeypatch):
    """By default one training at a time, and every run is kept."""
    for name in ("AUTOENCODERS_TRAININGS", "AUTOENCODERS_KEEP_RUNS"):
        monkeypatch.delenv(name, raising=False)
    default = operations()
    monkeypatch.setenv("AUTOENCODERS_TRAININGS", "3")
    monkeypatch.setenv("AUTOENCODERS_KEEP_RUNS", "7")

    assert (default.limits["training"].slots, default.keep_runs) == (1, None)
    assert (operations().limits["training"].slots, operations().keep_runs) == (3, 7)


def test_a_slot_can_be_taken_by_every_user(tmp_path):
    """Whatever umask the user had who took the first."""
    before = os.umask(0o077)
    try:
        with slot("training", Limit(1, tmp_path / "training"), print):
            [place] = tmp_path.iterdir()
    finally:
        os.umask(before)

    assert place.name == "training-0"
    assert place.stat().st_mode & 0o777 == 0o444
