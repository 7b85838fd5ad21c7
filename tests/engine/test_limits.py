"""How many stages of a kind run at the same time on one machine."""

import datetime
import getpass
import itertools
import logging
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
from tasks.engine.prefect_cache import KernelLocks
from tasks.engine.store import Store
from tests.support import HOME, start, write_dataset

HOLDER = """
import sys, time
from pathlib import Path
from tasks.engine.limits import Limit, slot
from tasks.engine.store import Store

folder, slots, store = sys.argv[1:]
limit = Limit(int(slots), Path(folder) if folder else None)
with slot("training", limit, Store(Path(store)), print):
    print(1, flush=True)
    time.sleep(100)
"""
"""Holds a slot in a folder, or in its own store, until it is killed."""


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


@pytest.fixture
def hold():
    """Return a function that lets another process hold a slot, once it does."""
    processes = []

    def hold(folder, slots, store):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder), str(slots), str(store)],
            stdout=subprocess.PIPE, cwd=HOME,
        )  # fmt: skip
        processes.append(process)
        assert process.stdout.readline() == b"1\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def taken(tmp_path):
    """Return a function that waits for a slot in a thread; with it, what was said meanwhile."""

    def taken(limit, store):
        said = []

        def wait():
            with slot("training", limit, store, said.append):
                pass

        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        return waiting, said

    return taken


@pytest.mark.slow
def test_runs_that_share_a_folder_of_slots_train_in_turns(tmp_path, server_environment):
    """Whatever folders they write to: no training begins before another one's end."""
    data = write_dataset(tmp_path / "data", side=12)
    environment = {
        **server_environment, "AUTOENCODERS_SLOTS": str(tmp_path), "AUTOENCODERS_TRAININGS": "",
    }  # fmt: skip
    processes = [start(tmp_path / name, data, environment) for name in "ab"]
    outputs = [process.communicate(timeout=280)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    trainings = sorted(one for output in outputs for one in trained_between(output))
    for (_, ended), (begun, _) in itertools.pairwise(trainings):
        assert ended <= begun


def test_a_killed_holder_frees_its_slot(tmp_path, hold, taken):
    """While it lives, the limit counts it, and whoever waits says for whom, since when, and how
    not to."""
    store = Store(tmp_path / "store")
    limit = Limit(2, tmp_path, "Wait or pay.")
    holder = hold(tmp_path, 2, tmp_path / "other")
    with slot("training", limit, store, print):
        waiting, said = taken(limit, store)
        waiting.join(3)
        assert waiting.is_alive()
        [line] = said
        assert line.startswith("Waiting for one of 2 slots for training: ")
        assert line.endswith(". Wait or pay.")
        user = getpass.getuser()
        for process in (holder.pid, os.getpid()):
            assert re.search(rf"process {process} of {user}, since \d\d:\d\d:\d\d", line)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        waiting.join(10)
        assert not waiting.is_alive()


def test_another_store_keeps_nobody_waiting(tmp_path, hold, taken):
    """Slots are a store's own: a stranger's training on the same machine is no reason to wait."""
    hold("", 1, tmp_path / "theirs")
    waiting, said = taken(Limit(1), Store(tmp_path / "mine"))
    waiting.join(10)

    assert not waiting.is_alive()
    assert said == []


@pytest.mark.long
def test_the_same_store_does(tmp_path, hold, taken):
    """Until the other training ends; it is reported again while it lasts."""
    holder = hold("", 1, tmp_path / "store")
    waiting, said = taken(Limit(1), Store(tmp_path / "store"))
    waiting.join(13)
    assert waiting.is_alive()
    assert len(said) == 2
    assert all(line.startswith("Waiting for the only slot for training: ") for line in said)
    holder.kill()
    waiting.join(10)

    assert not waiting.is_alive()


@pytest.mark.parametrize(
    "note", [b"", b"nonsense", b"{}", b"\0" * 5000, b"dead", b'{"process": "1"}', b"\xff\xfe"]
)
def test_a_note_that_nobody_can_believe_is_not_repeated(tmp_path, taken, note):
    """Of a holder that is dead, of another program, of somebody who plays tricks: the kernel's lock
    says that it is held, and nobody says by whom."""
    if note == b"dead":
        dead = subprocess.Popen(["true"])
        dead.wait()
        with slot("training", Limit(1, tmp_path), Store(tmp_path), print):
            written = (tmp_path / "slot-training-0").read_bytes()
        assert (tmp_path / "slot-training-0").read_bytes() == b""
        note = written.replace(b":%d," % os.getpid(), b":%d," % dead.pid)
        assert note != written
    limit, store = Limit(1, tmp_path), Store(tmp_path)
    with slot("training", limit, store, print):
        (tmp_path / "slot-training-0").write_bytes(note)
        waiting, said = taken(limit, store)
        waiting.join(2.5)

    assert said == ["Waiting for the only slot for training: another process."]
    waiting.join(10)
    assert not waiting.is_alive()


def test_whoever_computes_the_same_is_waited_for_by_name(tmp_path, caplog):
    """Two runs at the same stage: the second one says for whom it waits."""
    key = f"{tmp_path}/add/{'0' * 32}"
    first, second = KernelLocks(), KernelLocks()
    assert first.acquire_lock(key, "a")
    with caplog.at_level(logging.INFO):
        assert not second.acquire_lock(key, "b", acquire_timeout=2)
    first.release_lock(key, "a")

    assert caplog.text.count(f"Waiting for process {os.getpid()} of ") == 1
    assert "which computes the same; its result will be used." in caplog.text


def test_without_a_limit_there_is_nothing_to_wait_for(tmp_path):
    """A stage that names no limit, or one that nobody has set."""
    said, store = [], Store(tmp_path)
    with slot("", None, store, said.append), slot("", None, store, said.append):
        pass

    assert said == []


def test_a_folder_of_slots_that_is_none_is_refused(monkeypatch, tmp_path):
    """By the name of its variable, before a run begins."""
    monkeypatch.setenv("AUTOENCODERS_SLOTS", str(tmp_path / "none"))
    with pytest.raises(PipelineError, match=r"AUTOENCODERS_SLOTS=.*none: expected a folder"):
        operations()


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
    for name in ("AUTOENCODERS_TRAININGS", "AUTOENCODERS_KEEP_RUNS", "AUTOENCODERS_SLOTS"):
        monkeypatch.delenv(name, raising=False)
    default = operations()
    monkeypatch.setenv("AUTOENCODERS_TRAININGS", "3")
    monkeypatch.setenv("AUTOENCODERS_KEEP_RUNS", "7")

    assert (default.limits["training"].slots, default.keep_runs) == (1, None)
    assert default.limits["training"].folder is None
    assert (operations().limits["training"].slots, operations().keep_runs) == (3, 7)


def test_a_slot_can_be_taken_by_every_user(tmp_path):
    """Whatever umask the user had who took the first."""
    before = os.umask(0o077)
    try:
        with slot("training", Limit(1, tmp_path), Store(tmp_path / "store"), print):
            [place] = tmp_path.iterdir()
    finally:
        os.umask(before)

    assert place.name == "slot-training-0"
    assert place.stat().st_mode & 0o777 == 0o666
