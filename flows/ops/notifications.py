"""What happens when a run fails or crashes, or has decided: a log line and a webhook call."""

import os
from collections.abc import Mapping
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from flows.advice import resume
from tasks.engine.logs import Logger, run_logger
from tasks.engine.refusals import log_reason

WEBHOOK = "AUTOENCODERS_WEBHOOK"
"""Environment variable: the URL that receives a JSON POST when a run fails or crashes, and of each
decision about a challenger."""


def notify_failure(flow: Any, flow_run: FlowRun, state: State) -> None:
    """Report how a run ended and how to resume it; a hook that Prefect calls.

    The reason is in the log already.

    Args:
        flow: The flow that was run.
        flow_run: Its run.
        state: The state it ended in, Failed or Crashed.
    """
    logger = flow_run_logger(flow_run)
    message = (state.message or "no message").strip()
    log_reason(logger, f"The run has ended as {state.name}. {resume()}")
    if url := os.environ.get(WEBHOOK):
        content = {
            "text": f"Run {flow_run.name} of {flow.name} ended as {state.name}: {message} "
            f"{resume()}",  # the field that chats such as Slack and Mattermost display
            "flow": flow.name,
            "run": flow_run.name,
            "state": state.name,
            "message": state.message,
        }
        notify_webhook(url, content, logger)


def notify_decision(content: Mapping[str, Any]) -> None:
    """Tell the webhook, if there is one, what was decided about a challenger."""
    if url := os.environ.get(WEBHOOK):
        notify_webhook(url, content, run_logger())


def notify_webhook(url: str, content: Mapping[str, Any], logger: Logger) -> None:
    """Post `content` as JSON; a webhook that cannot be reached costs a log line, never the run.

    The log never shows the URL, which may contain a token.

    Args:
        url: Where to post.
        content: What to post.
        logger: Where to report that it failed.
    """
    try:
        httpx.post(url, json=content, timeout=10).raise_for_status()
    except httpx.HTTPStatusError as error:
        logger.error("%s: the webhook answered %s.", WEBHOOK, error.response.status_code)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # whose text may have the URL
        logger.error("%s: the webhook was not reached (%s).", WEBHOOK, type(error).__name__)
