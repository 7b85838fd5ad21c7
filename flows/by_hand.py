"""A flow that is called: from the command line, from a script or in a notebook.

What a deployment gets from its worker, such a run needs from here: a Prefect server, settings for
it, and errors that are told to the caller.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect import Flow
from prefect.context import FlowRunContext
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    temporary_settings,
)

from autoencoders.errors import PipelineError
from flows.advice import called_from_python
from flows.ops.automations import HEARTBEAT
from flows.ops.running import reach_this_machine, running_server
from flows.ops.temporary import stop_temporary_server, temporary_server
from tasks.engine.refusals import raising

P = ParamSpec("P")
R = TypeVar("R")
DEFAULTS = {
    PREFECT_SERVER_ANALYTICS_ENABLED: False,  # else a machine without a network logs an error
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT,
}
ANSWER_SECONDS = 10
"""How long a server that is named may take to answer at all."""
DRAIN_SECONDS = 10
"""How long Prefect may take at the end to deliver what is left of logs and events."""


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
    reach_this_machine()
    with called_from_python(), raising(), temporary_settings(set_defaults=DEFAULTS):
        if url := PREFECT_API_URL.value():
            _require_answer(url)
            server: Mapping[Any, str] = {}
        else:
            server = running_server() or temporary_server()
        with temporary_settings(server):
            yield


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


def end_prefect() -> None:
    """Do now what Python would wait for at its end: deliver, and stop a temporary server."""
    if delivered(DRAIN_SECONDS):
        stop_temporary_server()
