"""What several test modules share: small data, copies of the project, servers, constants."""

import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from tasks.engine.store import Store
from tasks.engine.verify import verify_store

HOME = Path(__file__).resolve().parents[1]
IMAGE = {"height": 12, "width": 12}
SHARED = HOME.parent / "shared" / "notmnist"
BASELINES = ("gaussian", "median", "nlm", "tv", "wavelet", "lmmse", "patches", "pca")
METHODS = ("noisy", *BASELINES, "autoencoder", "denoiser")
STEPS = [
    "ingest", "contact sheet", "prepare train", "prepare test", "add noise train", "add noise test",
    "train autoencoder", "train denoiser", *(f"score {method}" for method in METHODS[:9]),
    "measure codes", "score autoencoder", "score denoiser", "evaluate", "draw loss curves",
    "draw reconstructions", "draw noise", "draw denoising", "draw architecture",
    "draw score distribution", "draw robustness", "draw class scores", "draw extremes", "report",
]  # fmt: skip
"""The steps of the main job, in order."""
SMALL = ("--image.height", 12, "--image.width", 12, "--training.epochs", 2)
"""Options of the main job for small data."""
SOAK = ("--image.height", 12, "--image.width", 12, "--training.epochs", 4,
        "--training.batch_size", 16)  # fmt: skip
"""Options of the main job for small data and a training that is long enough to be killed in."""
IN_PROCESS = {"exit_on_error": False, "print_error": False, "result_action": "return_value"}
"""How a test calls a command line in its own process: errors are raised."""
PACKAGES = ("flows", "tasks", "autoencoders")
TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
"""Program that runs a command in a terminal; its standard input is what is typed there."""


class Project:
    """A copy of our packages that a test may edit, with `data/` and `artifacts/` of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Use what is in `folder`."""
        self.folder = folder
        self.environment = environment

    @classmethod
    def create(cls, folder: Path, environment: dict[str, str]) -> "Project":
        """Copy the packages into `folder` and write small data."""
        copy_packages(folder)
        write_dataset(folder / "data", side=12)
        return cls(folder, environment)

    def copied(self, folder: Path) -> "Project":
        """Copy everything, artifacts too, to another place."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Project(folder, self.environment)

    def edit(self, path: str, old: str, new: str) -> Callable[[], object]:
        """Replace a text in a file; return a function that undoes it."""
        return edit(self.folder / path, old, new)

    def run(self, script: str, *arguments: object, code: int = 0) -> str:
        """Run a script of `flows/`; return its output, or its error output if it must fail."""
        return self._python(self.folder / "flows" / script, *arguments, code=code)

    def run_module(self, module: str, *arguments: object, code: int = 0) -> str:
        """Run a module as `python -m` does; return the same as `run`."""
        return self._python("-m", module, *arguments, code=code)

    def _python(self, *arguments: object, code: int) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
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


class Webhook:
    """A webhook that keeps what is posted to it."""

    def __init__(self, status: int = 204) -> None:
        """Listen on a port of this machine, and answer with `status`."""
        self.received: list[dict[str, str]] = []
        received = self.received

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                received.append(json.loads(self.rfile.read(length)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Served:
    """A project with a server, a worker and deployments, as `make server` starts them."""

    def __init__(
        self, folder: Path, *options: str, terminal: bool = False, every: int = 30,
        **environment: str,
    ) -> None:  # fmt: skip
        """Copy the project into `folder` and start everything, optionally in a terminal.

        Its nightly deployment runs on small data every few seconds, once it is switched on.
        """
        self.port = free_port()
        self.options = options
        self.webhook = Webhook()
        kept = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        self.environment = {
            **kept,
            "PREFECT_HOME": str(folder / "home"),
            "PYTHONPATH": str(folder),
            "AUTOENCODERS_WEBHOOK": self.webhook.url,
            "PREFECT_SERVER_API_PORT": str(self.port),
            **environment,
        }
        self.project = Project.create(folder, self.environment)
        self.log = folder / "server.log"
        settings = {
            "image": IMAGE,
            "training": {"epochs": 1},
            "noise": {"factor": 1.0},
            "retrain": {"images": 20},
        }  # seconds, not minutes
        parameters = {"data": str(folder / "data"), "settings": settings,
                      "artifacts": str(folder / "nightly")}  # fmt: skip
        shutil.copy(HOME / "prefect.yaml", folder)
        often = f'interval: {every}, anchor_date: "2026-01-01T00:00:00+00:00"'
        edit(folder / "prefect.yaml", 'cron: "0 3 * * *", timezone: UTC', often)
        edit(folder / "prefect.yaml", "{data: data/sample}", json.dumps(parameters))
        self.process = self.started(terminal=terminal)

    def started(self, *, terminal: bool = False) -> subprocess.Popen[bytes]:
        """Start everything, and wait until it is ready."""
        before = len(self.output())
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *(("-c", TERMINAL, sys.executable) if terminal else ()),
                 "-m", "flows.ops.server", *self.options],
                env=self.environment, cwd=self.project.folder, stdin=subprocess.PIPE, stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.environment["PREFECT_API_URL"] = f"http://127.0.0.1:{self.port}/api"
        self.wait(lambda: "Ctrl-C stops it" in self.output()[before:], 180)
        return self.process

    def output(self) -> str:
        """Return everything written to the terminal so far."""
        return self.log.read_text() if self.log.exists() else ""

    def wait(self, condition: Callable[[], object], seconds: float) -> None:
        """Wait until a condition holds."""
        for _ in range(int(4 * seconds)):
            if condition():
                return
            time.sleep(0.25)
        raise AssertionError(self.output()[-5000:])

    def stop(self) -> None:
        """Stop all of it, as Ctrl-C does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(90)
        assert self.process.returncode == 143, self.output()[-5000:]

    def kill(self, *words: str) -> None:
        """Kill every process below this one whose command contains one of the words."""
        below = descendants(self.process.pid)
        for word in words:
            found = [process for process, command in below.items() if word in command]
            assert found, f"no {word!r} among {below}"
            for process in found:
                os.kill(process, signal.SIGKILL)

    def prefect(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run one of Prefect's commands, from another folder."""
        return subprocess.run(
            [sys.executable, "-m", "prefect", *map(str, arguments)],
            cwd="/", env=self.environment, capture_output=True, text=True, timeout=280,
        )  # fmt: skip

    def deployed(
        self, deployment: str, artifacts: Path, *options: str, **settings: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a deployment on the small data; what `settings` leaves out is the preset's."""
        settings = {"image": IMAGE, **settings}
        return self.prefect(
            "deployment", "run", f"full/{deployment}", *options,
            "-p", f"data={self.project.folder / 'data'}", "-p", f"artifacts={artifacts}",
            "-p", f"settings={json.dumps(settings)}",
        )  # fmt: skip

    def states(self) -> list[str]:
        """Return the states of all flow runs, newest first, once the server answers."""
        for _ in range(60):
            shown = self.prefect("flow-run", "ls", "--limit", 200, "-o", "json")
            if shown.returncode == 0:
                return [run["state_type"] for run in json.loads(shown.stdout)]
            time.sleep(1)
        raise AssertionError(shown.stdout + shown.stderr)


def copy_packages(folder: Path) -> None:
    """Copy our packages into a folder."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HOME / package, folder / package, ignore=ignored)


def edit(file: Path, old: str, new: str) -> Callable[[], object]:
    """Replace a text in a file; return a function that undoes it."""
    text = file.read_text()
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new))
    return lambda: file.write_text(text)


def descendants(process: int) -> dict[int, str]:
    """Return the commands of all processes below a process, by process id."""
    shown = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in shown.splitlines()]
    found: dict[int, str] = {}
    for number, parent, command in rows:  # a child's id may be the smaller one
        if int(parent) == process:
            found |= {int(number): command, **descendants(int(number))}
    return found


def free_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def write_dataset(folder: Path, train: int = 60, test: int = 20, side: int = 8) -> Path:
    """Write random images of `side` x `side` pixels and their labels; train images gzipped."""
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


def states(output: str) -> dict[str, str]:
    """Return the final state of every task run in a log."""
    return dict(re.findall(r"Task run '([^']+)' - Finished in state (\w+)", output))


def contents(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder, but not of run.json, which has times."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def start(
    folder: Path, data: Path, environment: dict[str, str], *options: object
) -> subprocess.Popen[str]:
    """Start the main job, standard output and error in one stream."""
    arguments = [HOME / "flows" / "full.py", "--data", data, "--artifacts", folder, *SOAK, *options]
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def published_is_whole(folder: Path) -> bool:
    """Return whether everything under a final name is complete and undamaged."""
    store = Store(folder)
    for stage, key in store.artifacts():
        store.find(stage, key)
    return verify_store(store, lambda done, total: None) == []
