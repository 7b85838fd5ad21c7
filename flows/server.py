"""Prefect's server, a work pool, our deployments and a worker, all on this machine: `make server`.

It stops with Ctrl-C: first the runs, which end as they do at Ctrl-C, then the worker, the server.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script: this checkout's packages, wherever it is called from
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from typing import Annotated

import httpx
from cyclopts import App, Parameter
from cyclopts.validators import Number
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_API_PORT, temporary_settings

from autoencoders.errors import PipelineError
from flows.automations import HEARTBEAT, end_dead_runs, tell_of_dead_runs
from flows.hooks import WEBHOOK
from flows.options import run_command

HOME = Path(__file__).resolve().parents[1]
POOL = "local-process"
PATIENCE = 10
"""Seconds that the runs, the worker and the server each have to end."""
LONGEST_PAUSE = 60.0
"""Seconds between two starts of what dies again and again; the first pauses are shorter."""
ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_API_URL": "/api",  # by whatever name the pages are reached
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT),
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",  # SQLite waits that long instead of "is locked"
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # Writing in larger batches: where many write at once, SQLite refuses whoever has read before
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
"""What the server and its runs are told; what is set outside goes before it."""

app = App(name="server", help=__doc__)


@app.default
def main(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65535))] = None,
    runs: Annotated[int, Parameter(validator=Number(gte=1))] = 4,
) -> None:
    """Start everything, and stay until Ctrl-C.

    Args:
        host: Where the server listens: by default on this machine alone, 0.0.0.0 is for all who
            reach it.
        port: The server's port; by default Prefect's own, 4200.
        runs: How many runs the worker starts at once. Only one of them trains at a time.
    """
    # Started in the background of a script, Ctrl-C is ignored, and by all children too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    port = port or PREFECT_SERVER_API_PORT.value()
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/api"  # noqa: S104
    _require_free(port)
    environment = {**ENVIRONMENT, **os.environ, "PREFECT_API_URL": url}
    server = _Kept(environment, "server", "start", "--host", host, "--port", str(port))
    worker = _Kept(environment, "worker", "start", "--pool", POOL, "--limit", str(runs))
    try:
        server.start()
        _await(url, server)
        set_up(url, environment)
        worker.start()
        print(
            f"Prefect's pages: {url.removesuffix('/api')}\n"
            f"In another terminal:  export PREFECT_API_URL={url}\n"
            "  prefect deployment run full/quick --watch\n"
            "Ctrl-C stops it.",
            flush=True,
        )
        while True:
            time.sleep(0.5)
            server.keep()
            worker.keep()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # what follows must come to its end
        print("Stopping: runs under way end, and go on when they are run again.", flush=True)
        worker.stop_children()  # while the server is there to be told of it
        worker.stop()
        server.stop()


@app.command
def deploy() -> None:
    """Create or change work pool, automations and deployments on the server that PREFECT_API_URL
    names, or that runs here.

    Raises:
        PipelineError: If there is none, or the deployments are refused.
    """
    url = PREFECT_API_URL.value()
    if url is None:
        raise PipelineError("No server to deploy to: set PREFECT_API_URL, or start `make server`.")
    set_up(url, {**os.environ, "PREFECT_API_URL": url})


class _Kept:
    """A command of Prefect's that is started again when it dies."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self.name = arguments[0]
        # It must not ask questions: Prefect's server would, about the user's profile
        self._command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 0.0

    def start(self) -> None:
        """Start it, beyond the reach of the terminal's Ctrl-C."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603
            self._command, cwd=HOME, env=self._environment, start_new_session=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ended(self) -> bool:
        """Tell whether it is no longer there."""
        return self._process is None or self._process.poll() is not None

    def keep(self) -> None:
        """Start it again if it has died: at once, or after a pause if it dies again and again, as
        it does while its database is away."""
        lived = time.monotonic() - self._started
        if not self.ended() or lived < self._pause:
            return
        short = lived < LONGEST_PAUSE + self._pause
        self._pause = min(LONGEST_PAUSE, 2 * self._pause + 1) if short else 0.0
        print(f"Prefect's {self.name} has died; starting it again.", flush=True)
        self.start()

    def stop_children(self) -> None:
        """End what it started, so that it can still say so itself."""
        deadline = time.monotonic() + PATIENCE
        while children := self._children():
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            if time.monotonic() > deadline:
                return
            time.sleep(0.5)

    def _children(self) -> list[int]:
        if self._process is None:
            return []
        return [number for number, parent, _ in _processes() if parent == self._process.pid]

    def stop(self) -> None:
        """End it."""
        if self._process is not None and not self.ended():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _processes() -> list[tuple[int, int, str]]:
    """Return the number, the parent's number and the command of every process."""
    shown = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="],  # noqa: S607
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    rows = [[*line.split(None, 2), ""] for line in shown.splitlines()]  # a command may be empty
    return [(int(number), int(parent), command) for number, parent, command, *_ in rows]


def _require_free(port: int) -> None:
    """See that nobody listens on a port of this machine.

    Raises:
        PipelineError: If somebody does; if it is what an earlier call left behind when it was
            killed itself, with the processes to end.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)):
            return
    ours = [
        str(number)
        for number, _, command in _processes()
        if command.startswith(sys.executable)
        and ("server start" in command or f"--pool {POOL}" in command)
    ]
    raise PipelineError(
        f"Something listens on port {port} already. If that is a server of yours, use it or stop "
        + (f"it, with its worker (kill {' '.join(ours)})" if ours else "it")
        + "; or give another port with --port."
    )


def set_up(url: str, environment: Mapping[str, str]) -> None:
    """Create the work pool, the automations and the deployments, unless they are there.

    Raises:
        PipelineError: If the server does not answer or refuses it.
    """
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):
                client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
            end_dead_runs()
            tell_of_dead_runs(os.environ.get(WEBHOOK))
    except httpx.HTTPError as error:
        raise PipelineError(
            f"The server at {url} cannot be used: {error}. See that it runs; if it asks for a "
            "log-in, set PREFECT_API_AUTH_STRING."
        ) from error
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=HOME, env=dict(environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise PipelineError(f"The deployments were refused:\n{done.stdout}{done.stderr}")


def _await(url: str, server: _Kept) -> None:
    """Wait until the server answers.

    Raises:
        PipelineError: If it ends instead, or takes more than three minutes.
    """
    for _ in range(360):
        if server.ended():
            raise PipelineError("Prefect's server did not start; its last lines say why.")
        try:
            httpx.get(f"{url}/health", timeout=5, trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise PipelineError(f"Prefect's server does not answer at {url}.")


if __name__ == "__main__":
    run_command(app)
