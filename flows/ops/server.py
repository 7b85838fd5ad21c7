"""Prefect's server, a work pool, our deployments and a worker, all on this machine: `make server`.

Ctrl-C stops it in this order: first the runs, which end as at Ctrl-C, then worker and server.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, NoReturn

import httpx
from cyclopts import App, Parameter
from cyclopts.validators import Number
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_API_PORT, temporary_settings

from autoencoders.errors import PipelineError
from flows.ops.automations import HEARTBEAT, crash_dead_runs, notify_about_dead_runs
from flows.ops.notifications import WEBHOOK
from flows.ops.schedules import deployments_to_apply
from flows.ops.supervisor import SupervisedProcess, running_processes
from flows.options import HOME, run_command

POOL = "local-process"
STARTUP_TIMEOUT = 180
"""Seconds within which the server must answer; its first start creates a database."""
ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_API_URL": "/api",  # relative: right under every name the UI is reached by
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT),
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # Fewer, larger writes: SQLite refuses a transaction that has read what another one has since
    # changed ("database is locked"), however long it is willing to wait
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
"""Defaults for the server and its runs; variables that are already set take precedence."""

app = App(name="server", help=__doc__)


@app.default
def main(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65535))] = None,
    runs: Annotated[int, Parameter(validator=Number(gte=1))] = 4,
) -> None:
    """Start everything and keep it running until Ctrl-C.

    Args:
        host: Address the server listens on: by default reachable from this machine only; 0.0.0.0
            makes it reachable from the network.
        port: Port of the server; by default Prefect's own, 4200.
        runs: Maximum number of concurrent runs. Only one of them trains at a time.
    """
    # Shells start background jobs with SIGINT ignored, and children would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    port = port or PREFECT_SERVER_API_PORT.value()
    require_free_port(port)
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/api"  # noqa: S104
    environment = {**ENVIRONMENT, **os.environ, "PREFECT_API_URL": url}
    prefect = partial(SupervisedProcess, folder=HOME, environment=environment)
    server = prefect("server", "start", "--host", host, "--port", str(port))
    worker = prefect("worker", "start", "--pool", POOL, "--limit", str(runs))
    try:
        server.start()
        wait_until_ready(url, server)
        register(url, environment)
        worker.start()
        supervise(url, server, worker)
    finally:
        shut_down(server, worker)


@app.command
def deploy() -> None:
    """Create or update work pool, automations and deployments on the server that PREFECT_API_URL
    names, or on the one that runs here.

    Raises:
        PipelineError: If there is none, or it refuses the deployments.
    """
    url = PREFECT_API_URL.value()
    if url is None:
        raise PipelineError(
            problem="There is no Prefect server to deploy to.",
            advice="Start one with `make server`, or set PREFECT_API_URL to the address of yours.",
        )
    register(url, {**os.environ, "PREFECT_API_URL": url})


def supervise(url: str, server: SupervisedProcess, worker: SupervisedProcess) -> NoReturn:
    """Say how to use the server, then restart whatever dies, until an exception ends it."""
    print(
        f"Prefect UI: {url.removesuffix('/api')}\n"
        f"In another terminal:  export PREFECT_API_URL={url}\n"
        "  prefect deployment run full/quick --watch\n"
        "Ctrl-C stops it.",
        flush=True,
    )
    while True:
        time.sleep(0.5)
        server.restart_if_dead()
        worker.restart_if_dead()


def shut_down(server: SupervisedProcess, worker: SupervisedProcess) -> None:
    """Stop runs, worker and server in this order, so that each can still report to the next."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt this
    print("Stopping: active runs end now and resume when they are run again.", flush=True)
    worker.stop_children()  # a worker that is stopped would wait for its runs, not stop them
    worker.stop()
    server.stop()


def require_free_port(port: int) -> None:
    """Check that nothing listens on a port of this machine.

    Raises:
        PipelineError: If something does; it names the processes that an earlier `make server` left
            behind when it was killed.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)):
            return
    leftovers = [
        str(process.pid)
        for process in running_processes()
        if process.command.startswith(sys.executable)
        and ("server start" in process.command or f"--pool {POOL}" in process.command)
    ]
    stop = f"it and its worker (kill {' '.join(leftovers)})" if leftovers else "it"
    raise PipelineError(
        problem=f"Port {port} is already in use.",
        advice=f"If that is a server of yours, use it or stop {stop}; or choose another port with "
        "--port.",
    )


def wait_until_ready(url: str, server: SupervisedProcess) -> None:
    """Wait until the server answers.

    Raises:
        PipelineError: If it exits instead, or does not answer within `STARTUP_TIMEOUT`.
    """
    deadline = time.monotonic() + STARTUP_TIMEOUT
    while time.monotonic() < deadline:
        if server.has_exited():
            raise PipelineError(
                problem="Prefect's server did not start.", advice="See its last lines above."
            )
        try:
            httpx.get(f"{url}/health", timeout=5, trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise PipelineError(
        problem=f"Prefect's server did not answer at {url} within {STARTUP_TIMEOUT} s.",
        advice="See its last lines above, then start it again.",
    )


def register(url: str, environment: Mapping[str, str]) -> None:
    """Create or update the work pool, the automations and the deployments of `prefect.yaml`.

    Args:
        url: Address of the server's API.
        environment: All environment variables of `prefect deploy`.

    Raises:
        PipelineError: If the server does not answer, or refuses them.
    """
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):
                client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
            crash_dead_runs()
            notify_about_dead_runs(os.environ.get(WEBHOOK))
            deployments = deployments_to_apply(HOME / "prefect.yaml")
    except httpx.HTTPError as error:
        raise PipelineError(
            problem=f"The server at {url} cannot be used: {error}.",
            advice="Check that it is running; if it requires a login, set PREFECT_API_AUTH_STRING.",
        ) from error
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(deployments)
        file.flush()
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all",
             "--prefect-file", file.name],
            cwd=HOME, env=dict(environment), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise PipelineError(
            problem=f"The server at {url} refused the deployments:\n{done.stdout}{done.stderr}",
            advice="Fix prefect.yaml and run `make deploy`.",
        )


if __name__ == "__main__":
    run_command(app)
