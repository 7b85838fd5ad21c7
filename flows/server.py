"""Prefect's server, a work pool, our deployments and a worker, all on this machine: `make server`.

It stops with Ctrl-C: first the worker, whose runs then end as they do at Ctrl-C, then the server.
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
from flows.automations import end_dead_runs, tell_of_dead_runs
from flows.hooks import WEBHOOK
from flows.options import run_command

HOME = Path(__file__).resolve().parents[1]
POOL = "local-process"
HEARTBEAT = 30
"""Seconds between two signs of life of a run: the shortest that Prefect allows."""
SHORT_LIFE, SHORT_LIVES = 30, 3
"""Seconds, and how many times in a row: what dies sooner so often is not started again."""
ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # one alone still tries to call out, and both
    "DO_NOT_TRACK": "1",  # together keep machines without a network free of error lines
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
    port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65535))] = None,
    runs: Annotated[int, Parameter(validator=Number(gte=1))] = 4,
) -> None:
    """Start everything, and stay until Ctrl-C.

    Args:
        port: Where the server listens, on this machine only; by default Prefect's own, 4200.
        runs: How many runs the worker starts at once. Only one of them trains at a time.
    """
    port = port or PREFECT_SERVER_API_PORT.value()
    url = f"http://127.0.0.1:{port}/api"
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise PipelineError(
                f"Something listens on port {port} already. If that is a server of yours, use it "
                "or stop it; or give another port with --port."
            )
    environment = {**ENVIRONMENT, **os.environ, "PREFECT_API_URL": url}
    server = _Kept(environment, "server", "start", "--host", "127.0.0.1", "--port", str(port))
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
    except KeyboardInterrupt:
        print("Stopping: runs under way end, and go on when they are run again.", flush=True)
    finally:
        worker.stop()
        server.stop()


class _Kept:
    """A command of Prefect's that is started again when it dies."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self.name = arguments[0]
        self._command = [sys.executable, "-m", "prefect", *arguments]
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._short_lives = 0

    def start(self) -> None:
        """Start it, beyond the reach of the terminal's Ctrl-C."""
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603
            self._command, cwd=HOME, env=self._environment, start_new_session=True
        )

    def ended(self) -> bool:
        """Tell whether it is no longer there."""
        return self._process is None or self._process.poll() is not None

    def keep(self) -> None:
        """Start it again if it has died.

        Raises:
            PipelineError: If that was the third short life in a row: it would die again.
        """
        if not self.ended():
            return
        short = time.monotonic() - self._started < SHORT_LIFE
        self._short_lives = self._short_lives + 1 if short else 0
        if self._short_lives == SHORT_LIVES:
            raise PipelineError(f"Prefect's {self.name} does not start; its last lines say why.")
        print(f"Prefect's {self.name} has died; starting it again.", flush=True)
        self.start()

    def stop(self) -> None:
        """End it, in half a minute at most."""
        if self._process is not None and not self.ended():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def set_up(url: str, environment: Mapping[str, str]) -> None:
    """Create the work pool, the automations and the deployments, unless they are there.

    Raises:
        PipelineError: If the deployments are refused.
    """
    with temporary_settings({PREFECT_API_URL: url}):
        with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        end_dead_runs()
        tell_of_dead_runs(os.environ.get(WEBHOOK))
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
