"""A flow that is called: from the command line, from a script or in a notebook.

What a deployment gets from its worker, such a run needs from here: a Prefect server, settings for
it, and errors that are told to the caller.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import httpx
import prefect
from prefect import Flow
from prefect.context import FlowRunContext
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_API_PORT,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from autoencoders.errors import PipelineError
from flows.advice import called_from_python
from flows.ops.automations import HEARTBEAT
from tasks.engine.refusals import raising

P = ParamSpec("P")
R = TypeVar("R")
DEFAULTS = {
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,  # 20 s are too short on a busy disk
    PREFECT_SERVER_ANALYTICS_ENABLED: False,  # else a machine without a network logs an error
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT,
}
HERE = "127.0.0.1,localhost"
ANSWER_SECONDS = 10
"""How long a server that is named may take to answer at all."""


class Job(Flow[P, R]):
    """A Prefect flow that finds or starts the server it needs when it is called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the flow here and now, as Prefect does; within another flow, as a part of that.

        Raises:
            PipelineError: If the server that Prefect's settings name does not answer.
            Exception: Whatever the flow raises.
        """
        if FlowRunContext.get() is not None:
            return super().__call__(*args, **kwargs)
        with _by_hand():
            return super().__call__(*args, **kwargs)


def job(**options: Any) -> Callable[[Callable[P, R]], Job[P, R]]:
    """Make a `Job` of a function, with Prefect's options of a flow.

    Results are files of the store: Prefect keeps none of its own.
    """

    def made(function: Callable[P, R]) -> Job[P, R]:
        return Job(function, persist_result=False, **options)

    return made


@contextmanager
def _by_hand() -> Iterator[None]:
    os.environ.setdefault("DO_NOT_TRACK", "1")
    for name in ("NO_PROXY", "no_proxy"):  # else Prefect would look for this machine behind a proxy
        os.environ[name] = ",".join(dict.fromkeys(filter(None, [os.environ.get(name), HERE])))
    with (
        called_from_python(),
        raising(),
        temporary_settings(set_defaults={**DEFAULTS, **_running_server()}),
    ):
        yield


def _running_server() -> dict[Any, str]:
    """Return where Prefect's server is, if it is not in the settings anyway.

    One named by Prefect's own settings takes precedence over what `make server` has started on this
    machine; without either, a temporary one will be started.

    Raises:
        PipelineError: If the one that is named does not answer.
    """
    if url := PREFECT_API_URL.value():
        _require_answer(url)
        return {}
    url = f"http://127.0.0.1:{PREFECT_SERVER_API_PORT.value()}/api"
    try:
        answer = httpx.get(f"{url}/admin/version", timeout=1, trust_env=False).text
    except httpx.HTTPError:
        answer = ""  # nobody there, or somebody else
    if answer.strip() == f'"{prefect.__version__}"':
        return {PREFECT_API_URL: url}
    from flows.ops.temporary import TemporaryServer  # the server's code takes long to import

    TemporaryServer()
    return {}


def _require_answer(url: str) -> None:
    try:
        httpx.get(f"{url}/health", timeout=ANSWER_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PipelineError(
            f"No Prefect server answers at {url}, which PREFECT_API_URL or Prefect's profile names "
            f"({error or type(error).__name__}).",
            "Start it (`make server`), or correct or unset PREFECT_API_URL: without it, the run "
            "starts a server of its own.",
        ) from error


def delivered(seconds: float) -> bool:
    """Return whether Prefect has delivered all logs and events, waiting for it for a while."""
    if "prefect.events.worker" not in sys.modules:
        return True  # no run has begun
    from prefect.events.worker import EventsWorker

    ended = EventsWorker.drain_all(timeout=seconds, at_exit=False)  # of every such service
    return not (isinstance(ended, tuple) and ended[1])
