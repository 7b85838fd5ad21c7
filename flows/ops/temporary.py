"""The Prefect server of a run by hand where no other is there: it lives as long as the process.

Prefect would start one too, but only after it has loaded all of the server into the process of the
run, which takes seconds, and as a child like any other: a signal to the whole group, such as Ctrl-C
in a terminal, would end it before the run could report to it, and it would outlive a run that is
killed. This one is in a session of its own, and ends when the pipe from its parent closes, however
the parent ended.
"""

import atexit
import functools
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, get_current_settings

from autoencoders.errors import PipelineError

HOME = Path(__file__).resolve().parents[2]
STARTUP_TIMEOUT = 180
"""Seconds within which it must answer; its first start creates a database."""
EPHEMERAL = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1",
             "PREFECT__SERVER_FINAL": "1"}  # fmt: skip
"""What Prefect sets for a temporary server: no pages, and only the services that runs need."""

_processes: list[subprocess.Popen[bytes]] = []


def temporary_server() -> Mapping[Any, str]:
    """Return the settings that lead to the temporary server of this process, which runs then.

    Raises:
        PipelineError: If it does not start.
    """
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    arguments = tuple(sorted(settings.items()))
    if _started(arguments)[1].poll() is not None:  # somebody killed it
        _started.cache_clear()
    url, _ = _started(arguments)
    return {PREFECT_API_URL: url, PREFECT_UI_URL: ""}  # it has no pages to which a log could link


def stop_temporary_server() -> None:
    """Stop the temporary server of this process now, if there is one, instead of at its end."""
    for process in _processes:
        _stop(process)
    _processes.clear()
    _started.cache_clear()


@functools.cache  # a notebook that calls a flow twice has one
def _started(settings: tuple[tuple[str, str], ...]) -> tuple[str, subprocess.Popen[bytes]]:
    get_logger().info("Starting a temporary Prefect server; `make server` keeps one running.")
    # It inherits the socket, so the port is ours from here on; whoever connects early waits
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        path = os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-P", "-m", "flows.ops.api", str(listening.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listening.fileno()],
            start_new_session=True,
            env={**os.environ, **dict(settings), **EPHEMERAL, "PYTHONPATH": path},
        )
    _processes.append(process)
    atexit.register(stop_temporary_server)
    try:
        httpx.get(f"{url}/health", timeout=STARTUP_TIMEOUT, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise PipelineError(
            problem=f"A temporary Prefect server did not start ({error}).",
            advice="See its last lines above; if they speak of a database, set PREFECT_HOME to "
            "another folder.",
        ) from error
    return url, process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let go of the server, and wait until it has written everything down."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
