"""Runs that end with the worker that started them."""

import os
import signal
import subprocess
import sys

import pytest

from flows.ops.worker import STARTED_BY_WORKER
from tests.support import HOME

RUN = """
import os, sys, time
from flows.ops.worker import end_with_worker
end_with_worker()
print("begun", flush=True)
null = os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)  # as Rich does where nobody reads
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("environment", "seconds", "code"),
    [({STARTED_BY_WORKER: "a run"}, 60, -signal.SIGTERM), ({}, 1, 0)],
    ids=["by a worker", "by hand"],
)
def test_a_run_ends_with_its_worker_also_if_it_says_nothing(environment, seconds, code):
    """A run by hand goes on after a closed pipe, as it does in `| head`."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(seconds)], cwd=HOME, env={**os.environ, **environment},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"begun\n"
    assert process.poll() is None
    process.stdout.close()

    assert process.wait(30) == code
