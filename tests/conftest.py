"""What several test modules need: small real files, and a real Prefect server for the session."""

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prefect.settings import PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

# Where the tests run in the background of a script, Ctrl-C is ignored, and by all children too
signal.signal(signal.SIGINT, signal.default_int_handler)
# A training of the machine's owner must not stop the tests, nor they each other
os.environ["AUTOENCODERS_TRAININGS"] = "64"

HOME = Path(__file__).resolve().parents[1]
IMAGE = {"height": 12, "width": 12}
SHARED = HOME.parent / "shared" / "notmnist"
TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
"""Runs a command in a terminal; what is written to its standard input is typed there."""


class Project:
    """A copy of our packages that a test may edit, with `data/` and `artifacts/` of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Use what is in `folder`."""
        self.folder = folder
        self.environment = environment

    @classmethod
    def made(cls, folder: Path, environment: dict[str, str]) -> "Project":
        """Copy the packages into `folder` and write small data."""
        for package in ("flows", "tasks", "autoencoders"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(HOME / package, folder / package, ignore=ignored)
        _write_dataset(folder / "data", side=12)
        return cls(folder, environment)

    def copied(self, folder: Path) -> "Project":
        """Copy everything, artifacts too, to another place."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Project(folder, self.environment)

    def edit(self, path: str, old: str, new: str) -> Callable[[], object]:
        """Replace a text in a file; return what undoes it."""
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        return lambda: file.write_text(text)

    def run(self, script: str, *arguments: object, code: int = 0) -> str:
        """Run a script of `flows/`; return what it said, on standard error if it failed."""
        done = subprocess.run(
            [sys.executable, self.folder / "flows" / script, *map(str, arguments)],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def full(self, *options: object) -> None:
        """Run the main job on this project's data."""
        self.run("full.py", "--data", self.folder / "data", *options)

    def planned(self, *options: object) -> dict[str, dict[str, Any]]:
        """Return what `plan` says of every step."""
        shown = self.run("cli.py", "plan", "--data", self.folder / "data", *options, "--json")
        return {row["step"]: row for row in json.loads(shown)}

    def explained(self, step: str, *options: object) -> list[dict[str, Any]]:
        """Return what `explain` says of a step or stage."""
        found: list[dict[str, Any]] = json.loads(
            self.run("cli.py", "explain", step, *options, "--json")
        )
        return found


class Listener:
    """Somebody who is told by POST."""

    def __init__(self, status: int = 204) -> None:
        """Listen on a port of this machine, and answer with `status`."""
        self.told: list[dict[str, str]] = []
        told = self.told

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                told.append(json.loads(self.rfile.read(length)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Served:
    """A project with a server, a worker and deployments, as `make server` starts them."""

    def __init__(self, folder: Path, *, terminal: bool = False, **environment: str) -> None:
        """Copy the project into `folder` and start everything, if wished in a terminal of its own.

        Its nightly deployment takes small data every ten seconds, once it is switched on.
        """
        self.port = free_port()
        self.listener = Listener()
        kept = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        self.environment = {
            **kept,
            "PREFECT_HOME": str(folder / "home"),
            "PYTHONPATH": str(folder),
            "AUTOENCODERS_WEBHOOK": self.listener.address,
            "PREFECT_SERVER_API_PORT": str(self.port),
            **environment,
        }
        self.project = Project.made(folder, self.environment)
        self.log = folder / "server.log"
        settings = {"image": IMAGE, "training": {"epochs": 1}}
        parameters = {"data": str(folder / "data"), "settings": settings,
                      "artifacts": str(folder / "nightly")}  # fmt: skip
        text = (HOME / "prefect.yaml").read_text()
        text = text.replace(
            'cron: "0 3 * * *", timezone: UTC',
            'interval: 10, anchor_date: "2026-01-01T00:00:00+00:00"',
        )
        text = text.replace("{data: data/sample}", json.dumps(parameters))
        (folder / "prefect.yaml").write_text(text)
        self.process = self.started(terminal=terminal)

    def started(self, *, terminal: bool = False) -> subprocess.Popen[bytes]:
        """Start everything, and wait until it is there."""
        before = len(self.said())
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *(("-c", TERMINAL, sys.executable) if terminal else ()),
                 self.project.folder / "flows" / "server.py"],
                env=self.environment, cwd=self.project.folder, stdin=subprocess.PIPE, stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.environment["PREFECT_API_URL"] = f"http://127.0.0.1:{self.port}/api"
        self.wait(lambda: "Ctrl-C stops it" in self.said()[before:], 180)
        return self.process

    def said(self) -> str:
        """Return all that was written to the terminal."""
        return self.log.read_text() if self.log.exists() else ""

    def wait(self, condition: Callable[[], object], seconds: float) -> None:
        """Wait for something to become true."""
        for _ in range(int(4 * seconds)):
            if condition():
                return
            time.sleep(0.25)
        raise AssertionError(self.said()[-5000:])

    def stop(self) -> None:
        """End it as Ctrl-C does, all of it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(90)
        assert self.process.returncode == 143, self.said()[-5000:]

    def kill(self, *words: str) -> None:
        """Kill at once every process below this one whose command has one of the words."""
        for process, command in descendants(self.process.pid).items():
            if any(word in command for word in words):
                os.kill(process, signal.SIGKILL)

    def prefect(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run one of Prefect's commands, from some other folder."""
        return subprocess.run(
            [sys.executable, "-m", "prefect", *map(str, arguments)],
            cwd="/", env=self.environment, capture_output=True, text=True, timeout=280,
        )  # fmt: skip

    def deployed(self, deployment: str, artifacts: Path, *options: str, **training: object) -> Any:
        """Run a deployment on the small data."""
        settings = {"image": IMAGE, "training": {"epochs": 2, **training}}
        return self.prefect(
            "deployment", "run", f"full/{deployment}", *options,
            "-p", f"data={self.project.folder / 'data'}", "-p", f"artifacts={artifacts}",
            "-p", f"settings={json.dumps(settings)}",
        )  # fmt: skip

    def states(self) -> list[str]:
        """Return the states of all flow runs, the newest first, once the server answers."""
        for _ in range(60):
            shown = self.prefect("flow-run", "ls", "--limit", 200, "-o", "json")
            if shown.returncode == 0:
                return [run["state_type"] for run in json.loads(shown.stdout)]
            time.sleep(1)
        raise AssertionError(shown.stdout + shown.stderr)


def descendants(process: int) -> dict[int, str]:
    """Return the commands of all processes below a process, by number."""
    shown = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in shown.splitlines()]
    found: dict[int, str] = {}
    for number, parent, command in rows:  # a child's number may be the smaller one
        if int(parent) == process:
            found |= {int(number): command, **descendants(int(number))}
    return found


def free_port() -> int:
    """Return a port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own."""
    with (
        temporary_settings({PREFECT_SERVER_ANALYTICS_ENABLED: False}),  # it needs a network
        prefect_test_harness(server_startup_timeout=120),
    ):
        yield


@pytest.fixture(scope="session")
def server_environment(prefect_server) -> dict[str, str]:
    """The environment in which a child process talks to the session's server."""
    from prefect.settings import PREFECT_API_URL

    return {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value(), "DO_NOT_TRACK": "1"}


@pytest.fixture
def write_dataset() -> Callable[..., Path]:
    """Return a function that writes the four files into a folder."""
    return _write_dataset


def _write_dataset(folder: Path, train: int = 60, test: int = 20, side: int = 8) -> Path:
    """Write random images of `side` x `side` and their labels; the train images gzipped."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        pixels = rng.integers(0, 256, (count, side * side))
        text = "".join(",".join(map(str, row)) + "\n" for row in pixels.tolist())
        if split == "train":
            (folder / "train_data.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        else:
            (folder / "test_data.csv").write_text(text)
        name = "train_lables.csv" if split == "train" else "test_labels.csv"
        (folder / name).write_text("".join(f"{row % 10}\n" for row in range(count)))
    return folder


@pytest.fixture
def run_flow(server_environment) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `python flows/<name>.py …` as a user does."""

    def run(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, HOME / "flows" / f"{name}.py", *map(str, arguments)],
            env={**server_environment, **environment},
            cwd=HOME.parent,
            capture_output=True,
            text=True,
            timeout=280,
        )

    return run
