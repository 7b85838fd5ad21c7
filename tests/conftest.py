"""Fixtures of all tests, among them a real Prefect server for the session."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from prefect.settings import PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from tasks.resolve import resolve_threads
from tasks.runtime import import_tensorflow, neutralise_environment
from tests.browser import CHROMIUM, Browser
from tests.support import HOME

# Where the tests run in the background of a script, Ctrl-C is ignored, and by all children too
signal.signal(signal.SIGINT, signal.default_int_handler)
# Test modules import TensorFlow, which decides then whether it computes with oneDNN: on processors
# without AVX-512 it would not
neutralise_environment()
# A training of the machine's owner must not stop the tests, nor they each other
os.environ["AUTOENCODERS_TRAININGS"] = "64"

SLOW = 900
"""Seconds that a long or slow test may take unless it says otherwise, setting up included: it
starts servers, and machines may be busy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give long and slow tests more time than the others."""
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if marks & {"long", "slow"} and "timeout" not in marks:
            item.add_marker(pytest.mark.timeout(SLOW))


@pytest.fixture(autouse=True, scope="session")
def threads_of_tensorflow() -> None:
    """Let tests compute with the threads that stages ask for.

    A process has one number from its first operation on, and a stage refuses to compute with
    another one: without this, the order of the tests would matter.
    """
    import_tensorflow(resolve_threads(), print)


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


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """A headless Chromium with a profile of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    found = Browser(tmp_path_factory.mktemp("chromium"))
    yield found
    found.close()


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
