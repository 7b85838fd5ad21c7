"""`kill -9` of `make server` and of its parts, while somebody else's server runs beside it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.support import Project, Served, descendants, free_port

pytestmark = pytest.mark.slow
EPOCHS = 3000
"""So many that there is time to kill something; such a run is ended by the test."""
UP = 60
"""Seconds within which the next `make server` is to be up, with no one's help."""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Somebody else's Prefect server, of the same Python and with a worker, on another port."""
    home, port = tmp_path_factory.mktemp("foreign"), free_port()
    environment = {**os.environ, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1",
                   "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                   "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}  # fmt: skip
    prefect = [sys.executable, "-m", "prefect"]
    with (home / "log").open("w") as log:
        started = [
            subprocess.Popen([*prefect, "server", "start", "--port", str(port)],
                             env=environment, stdout=log, stderr=log),
            subprocess.Popen([*prefect, "worker", "start", "--pool", "local-process",
                              "--type", "process"], env=environment, stdout=log, stderr=log),
        ]  # fmt: skip
    url = f"http://127.0.0.1:{port}/api/health"
    try:
        for _ in range(240):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(url, timeout=5, trust_env=False).is_success:
                    break
            time.sleep(0.5)
        yield (
            lambda: (
                httpx.get(url, timeout=30, trust_env=False).is_success
                and all(process.poll() is None for process in started)
            )
        )
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Start everything once for this module."""
    served = Served(tmp_path_factory.mktemp("served"))
    try:
        yield served
    finally:
        served.stop()


def begun(served: Served, artifacts: Path) -> None:
    """Start a run, and wait until it trains."""
    before = len(served.output())
    done = served.deployed("quick", artifacts, training={"epochs": EPOCHS})
    assert done.returncode == 0, done.stdout + done.stderr
    served.wait(lambda: "epoch 20/" in served.output()[before:], 120)


def alive(processes: dict[int, str]) -> list[str]:
    """Return the commands of those processes that still run."""
    return [command for number, command in processes.items() if Path(f"/proc/{number}").exists()]


def restarted(served: Served) -> None:
    """Start `make server` again, as its user does, within the time that it has."""
    began = time.monotonic()
    served.started()
    assert time.monotonic() - began < UP, served.output()[-5000:]


def test_after_a_kill_of_make_server_the_next_just_works(served, foreign, tmp_path):
    """Everything that it had started ends by itself, the run with its reason; nothing is named."""
    begun(served, tmp_path)
    below = descendants(served.process.pid)
    before = len(served.output())
    served.process.kill()
    served.process.wait()
    restarted(served)

    assert alive(below) == []
    assert served.states()[0] == "CRASHED"
    assert "Execution was aborted by a termination signal" in served.webhook.received[-1]["text"]
    assert "kill" not in served.output()[before:].replace("killed", "")
    assert foreign()


@pytest.mark.parametrize("part", ["server start", "worker start"])
def test_after_a_kill_of_a_part_and_of_make_server_the_next_just_works(
    served, foreign, tmp_path, part
):
    """In whichever order they die."""
    begun(served, tmp_path)
    below = descendants(served.process.pid)
    served.kill(part)
    served.process.kill()
    served.process.wait()
    restarted(served)

    served.wait(lambda: served.states()[0] == "CRASHED", 300)
    assert [command for command in alive(below) if "ops.attached" in command] == []
    assert foreign()


def test_a_kill_of_make_ends_what_it_has_started(tmp_path):
    """`make server` is `make` and what it runs; either may be killed."""
    script = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    served = Served(tmp_path, "--stop-with-parent")
    served.stop()
    with served.log.open("a") as log:
        make = subprocess.Popen(
            [sys.executable, "-c", script, sys.executable, "-m", "flows.ops.server",
             "--stop-with-parent"],
            env=served.environment, cwd=served.project.folder, stdout=log, stderr=log,
        )  # fmt: skip
    served.wait(lambda: served.output().count("Ctrl-C stops it") == 2, 120)
    below = descendants(make.pid)
    make.kill()
    make.wait()
    restarted(served)

    assert alive(below) == []
    served.stop()


def test_a_second_make_server_is_refused_and_leaves_the_first_alone(served, tmp_path):
    """On the same database it would run every schedule twice; the message says where it is."""
    port = free_port()
    refused = served.project.run_module("flows.ops.server", "--port", port, code=1)

    assert "A server of this PREFECT_HOME is already running" in refused
    assert f"http://127.0.0.1:{served.port} (process {served.process.pid})" in refused
    assert served.process.poll() is None
    assert served.states() is not None


def test_a_port_of_somebody_else_is_no_reason_to_name_processes(served, tmp_path):
    """Another checkout, or user, sees that the port is taken, and what to do about it."""
    other = {**served.environment, "PREFECT_HOME": str(tmp_path)}
    refused = Project(served.project.folder, other).run_module("flows.ops.server", code=1)

    assert f"Port {served.port} is already in use" in refused
    assert "--port" in refused
    assert "kill" not in refused
    assert str(served.process.pid) not in refused


def test_another_checkout_runs_beside_it(served, tmp_path):
    """With a home and a port of its own; killed, it leaves this one alone."""
    other = Served(tmp_path)
    below = descendants(other.process.pid)
    other.process.send_signal(signal.SIGKILL)
    other.process.wait()
    other.started()
    other.stop()

    assert alive(below) == []
    assert served.process.poll() is None
    assert served.states() is not None
