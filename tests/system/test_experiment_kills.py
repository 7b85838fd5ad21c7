"""An experiment that is killed goes on where it was: no point and no epoch is repeated."""

import csv
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.ops.machine import TRAININGS
from tests.support import (
    HOME,
    SOAK,
    contents,
    descendants,
    published_is_whole,
    write_dataset,
)
from tests.system.test_kills import wait_for

GRID = ("--grid", "training.learning_rate=3e-3,1e-3,3e-4,1e-4", "noise.factor=0.3,0.5")
TIMES = ("cpu_seconds",)
"""Columns that differ from one computation to the next."""


def start(folder, data, environment, at_a_time=1):
    """Start an experiment of eight points, standard output and error in one stream."""
    arguments = [
        HOME / "flows" / "experiment.py",
        "--data",
        data,
        "--artifacts",
        folder,
        *SOAK,
        *GRID,
    ]
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], env={**environment, TRAININGS: str(at_a_time)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def killed(folder, data, environment, pattern):
    """Kill an experiment when a line with `pattern` appears; return what it said until then."""
    process = start(folder, data, environment)
    seen = wait_for(process, pattern)
    process.kill()
    return seen + process.communicate()[0]


def table(folder):
    """Return the table of the only finished run, without what no two computations share."""
    [run] = (folder / "runs").iterdir()
    with (run / "experiment.csv").open() as file:
        return [{name: value for name, value in row.items() if name not in TIMES}
                for row in csv.DictReader(file)]  # fmt: skip


@pytest.mark.long
def test_an_experiment_killed_twice_repeats_no_point_and_no_epoch(tmp_path, server_environment):
    """It ends with the table of one that was not killed, and with its networks."""
    data = write_dataset(tmp_path / "data", side=12)
    straight = start(tmp_path / "straight", data, server_environment)
    said = straight.communicate(timeout=280)[0]
    assert straight.returncode == 0, said
    artifacts = tmp_path / "killed"
    first = killed(artifacts, data, server_environment,
                   r"rate=0.001, noise.factor=0.3.*epoch 2/4")  # fmt: skip
    second = killed(artifacts, data, server_environment,
                    r"rate=0.0003, noise.factor=0.5.*epoch 3/4")  # fmt: skip
    assert published_is_whole(artifacts)
    last = start(artifacts, data, server_environment)
    third = last.communicate(timeout=280)[0]
    assert last.returncode == 0, third

    epochs = [
        epoch for said in (first, second, third)
        for epoch in re.findall(r"'(train [^']+)' - denoiser: epoch (\d)/4", said)
    ]  # fmt: skip
    finished = re.findall(r"'(train [^']+)' - Finished in state Completed", first + second + third)
    assert len(epochs) == len(set(epochs)) == 8 * 4
    assert len(finished) == len(set(finished)) == 8
    assert "resuming after epoch" in second
    assert "resuming after epoch" in third
    assert table(artifacts) == table(tmp_path / "straight")
    networks = [
        {name: digest for name, digest in contents(one).items() if name.startswith("models/")}
        for folder in (artifacts, tmp_path / "straight") for one in (folder / "runs").iterdir()
    ]  # fmt: skip
    assert networks[0] == networks[1]
    assert len(networks[0]) == 2


@pytest.mark.slow
def test_points_at_a_time_end_in_the_same_table_and_need_no_second_server(tmp_path):
    """Each in a process of its own, all of which talk to the server of the run; none is left."""
    data = write_dataset(tmp_path / "data", side=12)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
        "PREFECT_HOME": str(tmp_path / "home"),
    }  # fmt: skip
    outputs = []
    for number in (1, 2):
        process = start(tmp_path / str(number), data, environment, number)
        outputs.append(process.communicate(timeout=400)[0])
        assert process.returncode == 0, outputs[-1]

    assert "emporary server" not in outputs[1]
    assert len(re.findall(r"'train [^']+' - Finished in state Completed", outputs[1])) == 8
    assert table(tmp_path / "2") == table(tmp_path / "1")


@pytest.mark.slow
def test_processes_end_with_the_experiment_that_started_them(tmp_path, server_environment):
    """Killed or not, it leaves no process behind, and goes on where each training was."""
    data = write_dataset(tmp_path / "data", side=12)
    process = start(tmp_path / "a", data, server_environment, 2)
    said = wait_for(process, "epoch 2/4")
    below = descendants(process.pid)
    process.kill()
    said += process.communicate(timeout=60)[0]
    for _ in range(100):
        if not any(Path(f"/proc/{number}").exists() for number in below):
            break
        time.sleep(0.2)
    left = {
        number: command for number, command in below.items() if Path(f"/proc/{number}").exists()
    }
    assert left == {}

    again = start(tmp_path / "a", data, server_environment, 2)
    said += again.communicate(timeout=400)[0]
    assert again.returncode == 0, said
    epochs = re.findall(r"'(train [^']+)' - denoiser: epoch (\d)/4", said)
    assert len(epochs) == len(set(epochs))
