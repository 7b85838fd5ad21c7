"""Prefect's server, a work pool, our deployments and a worker, all on this machine: `make server`.

Ctrl-C stops it in this order: first the runs, which end as at Ctrl-C, then worker and server. If
this process is killed, they end in the same way by themselves (flows/ops/attached.py).
"""

import sys

if __name__ == "__main__" and sys.argv[1:] == ["deploy"]:  # the imports below take seconds
    print("Registering the deployments of prefect.yaml ...", flush=True)

import os
import signal
import socket
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
from cyclopts import App, Parameter
from cyclopts.validators import Number
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_SERVER_API_PORT

from autoencoders.errors import PipelineError
from flows.ops.automations import HEARTBEAT
from flows.ops.deploying import POOL, register
from flows.ops.instance import Instance
from flows.ops.login import LOGIN, login_environment, require_login
from flows.ops.pages import PAGES, UI_VERSION, keep_to_this_server
from flows.ops.running import reach_this_machine, running_server
from flows.ops.supervisor import SupervisedProcess
from flows.options import HOME, run_command

STARTUP_TIMEOUT = 180
"""Seconds within which the server must answer; its first start creates a database."""
UI_API = "PREFECT_SERVER_UI_API_URL"
"""Prefect's variable of where its pages look for the API."""
ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    UI_API: "/api",  # relative: right under every name the UI is reached by
    # In a terminal, `prefect server start` would offer to change the user's profile
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT),
    # Else `prefect deployment run --watch` shows states alone: not why a run has failed
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",
    "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",
    # In memory, a server that is restarted would forget whose turn it is, and cancel a run that
    # was just starting
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # Fewer, larger writes: SQLite refuses a transaction that has read what another one has since
    # changed ("database is locked"), however long it is willing to wait
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
"""Defaults for the server and its runs; variables that are already set take precedence."""
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened on
Flag = Annotated[bool, Parameter(negative="")]

app = App(name="server", help=__doc__)


class Stopped(BaseException):
    """A signal to end arrived."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


@app.default
def main(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65535))] = None,
    runs: Annotated[int, Parameter(validator=Number(gte=1))] = 4,
    without_login: Flag = False,
    stop_with_parent: Flag = False,
) -> None:
    """Start everything and keep it running until Ctrl-C.

    Args:
        host: Address the server listens on: by default reachable from this machine only; 0.0.0.0
            makes it reachable from the network, if PREFECT_API_AUTH_STRING=USER:PASSWORD is set.
        port: Port of the server; by default Prefect's own, 4200.
        runs: Maximum number of concurrent runs. Only one of them trains at a time.
        without_login: Listen on the network without a login: something else protects the server.
        stop_with_parent: Stop when the process that started this one has gone, as `make` does.
    """
    parent = os.getppid() if stop_with_parent else None
    _stop_at_signals()
    reach_this_machine()
    try:
        require_login(host, without_login=without_login)
        _serve(host, port or PREFECT_SERVER_API_PORT.value(), runs, parent)
    except Stopped as stopped:
        print("Stopped: the server, its worker and their runs have ended.", flush=True)
        sys.exit(stopped.code)


@app.command
def deploy() -> None:
    """Create or update work pool, automations and deployments on the server that PREFECT_API_URL
    names, or on the one that runs here.

    Raises:
        PipelineError: If there is none, or it refuses the deployments.
    """
    _stop_at_signals()
    reach_this_machine()
    url = PREFECT_API_URL.value() or running_server().get(PREFECT_API_URL)
    if url is None:
        raise PipelineError(
            problem="There is no Prefect server to deploy to.",
            advice="Start one with `make server`, or set PREFECT_API_URL to the address of yours.",
        )
    try:
        print(*register(url, {**os.environ, **login_environment()}), f"Done, at {url}.", sep="\n")
    except Stopped as stopped:
        print("Stopped: some deployments may be up to date, others not; deploy again.", flush=True)
        sys.exit(stopped.code)


def _stop_at_signals() -> None:
    # Shells start background jobs with SIGINT ignored, and children would inherit that
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)


def _stop(number: int, frame: object) -> None:
    raise Stopped(number)


def _serve(host: str, port: int, runs: int, parent: int | None) -> None:
    """Start server and worker, and restart whatever dies, until an exception ends it."""
    instance = Instance(PREFECT_HOME.value())
    own = "127.0.0.1" if host in EVERYWHERE else host
    address = f"http://{f'[{own}]' if ':' in own else own}:{port}"
    require_free_port(own, port)
    environment = _environment(address)
    prefect = partial(SupervisedProcess, folder=HOME, environment=environment)
    server = prefect("server", "start", "--host", host, "--port", str(port), holds=[instance.lock])
    worker = prefect(
        "worker", "start", "--pool", POOL, "--limit", str(runs),
        holds=[instance.lock, server.lifeline],  # the server outlives the worker, and hears of it
    )  # fmt: skip
    try:
        instance.publish(address)
        server.start()
        wait_until_ready(f"{address}/api", server)
        keep_to_this_server(Path(environment[PAGES]), environment[UI_API])
        register(f"{address}/api", environment)
        worker.start()
        _print_usage(host, address, environment)
        _supervise(server, worker, parent)
    finally:
        instance.withdraw()
        _shut_down(server, worker)


def _environment(address: str) -> dict[str, str]:
    """Return the environment variables of server, worker and runs."""
    return {
        **ENVIRONMENT,
        PAGES: str(PREFECT_HOME.value() / "pages"),
        "PREFECT_UI_URL": f"{address}/{UI_VERSION}",  # where links in logs lead to
        **os.environ,
        **login_environment(),
        "PREFECT_API_URL": f"{address}/api",
    }


def _print_usage(host: str, address: str, environment: Mapping[str, str]) -> None:
    url = environment["PREFECT_UI_URL"]
    if host in EVERYWHERE:
        print(f"From other machines: {url.replace('127.0.0.1', socket.getfqdn())}")
    if LOGIN in environment:
        print(f"It requires the login in {LOGIN}, which its users must set too.")
    print(
        f"Prefect UI: {url}\n"
        f"In another terminal:  export PREFECT_API_URL={address}/api PREFECT_UI_URL={url}\n"
        f"  {Path(sys.executable).with_name('prefect')} deployment run full/quick --watch\n"
        "Ctrl-C stops it.",
        flush=True,
    )


def _supervise(server: SupervisedProcess, worker: SupervisedProcess, parent: int | None) -> None:
    while parent in (None, os.getppid()):
        time.sleep(0.5)
        server.restart_if_dead()
        worker.restart_if_dead()


def _shut_down(server: SupervisedProcess, worker: SupervisedProcess) -> None:
    """Stop worker and server in this order, so that runs can still report how they ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt this
    print("Stopping: active runs end now and resume when they are run again.", flush=True)
    worker.stop()
    server.stop()


def require_free_port(address: str, port: int) -> None:
    """Check that nothing listens on a port of this machine.

    Raises:
        PipelineError: If something does. An earlier server of ours would have been waited for, so
            it belongs to somebody else.
    """
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        if probe.connect_ex((address, port)):
            return
    raise PipelineError(
        problem=f"Port {port} is already in use, by another program or somebody else's server.",
        advice="Choose another one with --port. If it is a Prefect server that you want to use, "
        "run `make deploy` there instead of a server of your own.",
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


if __name__ == "__main__":
    run_command(app)
