"""An experiment that is killed goes on where it was: no point and no epoch is repeated."""

import csv
import re
import subprocess
import sys

import pytest

from tests.support import HOME, SOAK, contents, published_is_whole, write_dataset
from tests.system.test_kills import wait_for

GRID = ("--grid", "training.learning_rate=3e-3,1e-3,3e-4,1e-4", "noise.factor=0.3,0.5")
TIMES = ("cpu_seconds",)
"""Columns that differ from one computation to the next."""


def start(folder, data, environment):
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
        [sys.executable, *map(str, arguments)], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
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


@pytest.mark.slow
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
