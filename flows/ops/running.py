"""The server that runs on this machine already, and how Prefect's clients reach it."""

import os
from typing import Any

import httpx
import prefect
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_SERVER_API_PORT, PREFECT_UI_URL

from autoencoders.errors import PipelineError
from flows.ops.instance import published
from flows.ops.login import LOGIN, login_environment
from flows.ops.pages import UI_VERSION

PATIENCE = 20
"""Seconds that the server of our PREFECT_HOME has to answer, on a busy machine."""
HERE = "127.0.0.1,localhost"


def reach_this_machine() -> None:
    """Set environment variables so that Prefect looks for this machine behind no proxy."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(dict.fromkeys(filter(None, [os.environ.get(name), HERE])))


def running_server() -> dict[Any, str]:
    """Return the settings that lead to the server of this machine; none if there is none, or if
    PREFECT_API_URL names a server.

    It is that of our PREFECT_HOME, on whichever port: another one would use its database too.
    Failing that, one of the same version on Prefect's own port.

    Raises:
        PipelineError: If that of our PREFECT_HOME does not answer, or requires another login.
    """
    if PREFECT_API_URL.value():
        return {}
    ours = published(PREFECT_HOME.value())
    url = ours or f"http://127.0.0.1:{PREFECT_SERVER_API_PORT.value()}"
    login = login_environment().get(LOGIN)
    auth = httpx.BasicAuth(*login.split(":", 1)) if login else None
    try:
        answer = httpx.get(
            f"{url}/api/admin/version", timeout=PATIENCE if ours else 1, trust_env=False, auth=auth
        )
    except httpx.HTTPError as error:
        if ours is None:
            return {}  # nobody there, or somebody else
        raise PipelineError(
            problem=f"The server on this machine, at {url}, does not answer.",
            advice="It may be starting: try again, or stop it. Another one would use its database.",
        ) from error
    if ours and answer.status_code == httpx.codes.UNAUTHORIZED:
        raise PipelineError(
            problem=f"The server on this machine, at {url}, requires a login.",
            advice=f"Set {LOGIN}=USER:PASSWORD as where it was started.",
        )
    if answer.text.strip() != f'"{prefect.__version__}"':
        return {}
    return {PREFECT_API_URL: f"{url}/api", PREFECT_UI_URL: f"{url}/{UI_VERSION}"}
