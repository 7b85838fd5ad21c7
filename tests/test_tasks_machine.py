"""One training at a time on a machine, and other tries for what may pass."""

import datetime
import errno
import itertools
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings

from autoencoders.errors import PipelineError
from autoencoders.settings import ImageSettings
from tasks.ingest import find_files, ingest
from tasks.machine import training_turn
from tasks.retries import may_pass
from tests.soak import start

TURN = "from tasks.machine import training_turn\nwith training_turn():\n    print(1, flush=True)\n"
IMAGE = ImageSettings(height=8, width=8)


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


def test_runs_of_one_machine_train_in_turns(tmp_path, write_dataset, server_environment):
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


def test_a_killed_training_gives_its_turn_back(tmp_path, monkeypatch):
    """While it lives, as many others wait as the setting says."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("AUTOENCODERS_TRAININGS", "2")
    holder = subprocess.Popen(
        [sys.executable, "-c", TURN + "    import time\n    time.sleep(100)\n"],
        env={"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert holder.stdout.readline() == b"1\n"
    with training_turn():
        waiting = threading.Thread(target=lambda: training_turn().__enter__(), daemon=True)
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        waiting.join(10)
        assert not waiting.is_alive()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_wrong_setting_of_the_machine_is_refused(monkeypatch, text):
    """By its name."""
    monkeypatch.setenv("AUTOENCODERS_TRAININGS", text)
    with pytest.raises(PipelineError, match=f"AUTOENCODERS_TRAININGS={text}: expected a whole"):
        training_turn().__enter__()


def test_a_turn_can_be_taken_by_every_user(tmp_path, monkeypatch):
    """Whatever umask the user had who took the first."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = os.umask(0o077)
    try:
        with training_turn():
            [place] = tmp_path.iterdir()
    finally:
        os.umask(before)

    assert place.stat().st_mode & 0o777 == 0o444


def test_only_a_cause_that_may_pass_is_worth_another_try():
    """What was merely going on when wrong data were found is no reason."""
    try:
        try:
            raise TimeoutError(errno.ETIMEDOUT, "the disk does not answer")
        except OSError as error:
            raise PipelineError("not read") from error
    except PipelineError as error:
        caused = error
    try:
        try:
            raise TimeoutError(errno.ETIMEDOUT, "the disk does not answer")
        except OSError:
            raise PipelineError("wrong data")  # noqa: B904
    except PipelineError as error:
        coincident = error

    assert may_pass(caused)
    assert not may_pass(coincident)


def unreadable(file: Path) -> None:
    """Put a file in its place that answers with an error of the device."""
    file.unlink()
    file.symlink_to("/proc/self/mem")


needs_proc = pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no /proc here")


@needs_proc
def test_files_that_cannot_be_read_for_a_moment_are_tried_again(tmp_path, write_dataset, caplog):
    """A network disk that answers again; what stays wrong is told after three tries."""
    data = write_dataset(tmp_path / "data")
    expected = find_files(data)
    kept = shutil.copy(data / "test_labels.csv", tmp_path / "kept.csv")
    unreadable(data / "test_labels.csv")
    threading.Timer(1, lambda: Path(kept).rename(data / "test_labels.csv")).start()
    with caplog.at_level(logging.WARNING):
        found = find_files(data)

    assert found == expected
    assert caplog.text.count("test_labels.csv: Input/output error; trying again in 2 s") == 1


@needs_proc
@pytest.mark.parametrize("heals", [True, False])
def test_a_stage_is_tried_again_when_its_disk_does_not_answer(
    prefect_server, tmp_path, write_dataset, caplog, heals
):
    """Wrong data is not: it would be wrong again."""
    data = write_dataset(tmp_path / "data")
    inputs = {"files": find_files(data), "image": IMAGE}
    if heals:
        kept = shutil.copy(data / "test_labels.csv", tmp_path / "kept.csv")
        unreadable(data / "test_labels.csv")
        threading.Timer(1, lambda: Path(kept).rename(data / "test_labels.csv")).start()
    else:
        (data / "test_labels.csv").write_text("one\n")
        inputs = {"files": find_files(data), "image": IMAGE}
    began = time.monotonic()
    without_a_flow = temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"})
    with caplog.at_level(logging.INFO), without_a_flow:
        state = ingest.task(str(tmp_path / "store"), "ingest", inputs, return_state=True)

    assert state.name == ("Completed" if heals else "Failed")
    assert (time.monotonic() - began > 1.9) == heals
    assert ("Retry 1/2" in caplog.text) == heals
