"""What happens when a run fails or crashes: a line that says what to do, and a message outside."""

import os
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

WEBHOOK = "AUTOENCODERS_WEBHOOK"
"""Environment variable: where a message goes, as JSON by POST, when a run fails or crashes."""


def tell(flow: Any, flow_run: FlowRun, state: State) -> None:
    """Say how the run ended and how to go on; Prefect calls this.

    The message has `text` (what chats such as Slack and Mattermost show), `flow`, `run`, `state`
    and `message`. A webhook that does not answer is a line in the log, no more.
    """
    logger = flow_run_logger(flow_run)
    text = (
        f"Run {flow_run.name} of {flow.name} ended as {state.name}: "
        f"{(state.message or 'no message').strip()} Nothing is lost: mend what it says and run it "
        "again; it goes on from the last finished stage, within training from the last finished "
        "epoch."
    )
    logger.error(text)
    if url := os.environ.get(WEBHOOK):
        content = {
            "text": text,
            "flow": flow.name,
            "run": flow_run.name,
            "state": state.name,
            "message": state.message,
        }
        try:
            httpx.post(url, json=content, timeout=10).raise_for_status()
        except httpx.HTTPStatusError as error:
            logger.error("%s: it answered %s.", WEBHOOK, error.response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # whose words may hold the address,
            logger.error("%s: it was not reached (%s).", WEBHOOK, type(error).__name__)  # a secret
