"""Automations: Prefect's server marks runs whose process died as crashed, and reports them."""

from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.types import SecretDict

from flows.advice import RESUME

HEARTBEAT = 30
"""Seconds between two heartbeats of a run; Prefect allows no shorter interval."""
HEARTBEAT_TIMEOUT = 240
"""Seconds without a heartbeat after which a run counts as dead. The server may be down for some
minutes, and a run that was started without our settings sends one only every three minutes."""
START_TIMEOUT = 900
"""Seconds that a run may stay Pending after a worker picked it up; a container starts first."""
NO_HEARTBEAT = "No heartbeat"
"""How the state message of a run that the server crashed begins."""

RUNS = "prefect.flow-run.*"
FLOWS = {"prefect.resource.role": "flow", "prefect.resource.name": ["full", "glyphs", "retrain"]}
"""Our flows; the server may serve other projects too."""
HEARTBEAT_EVENT = "prefect.flow-run.heartbeat"
FINAL_EVENTS = frozenset(
    f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")
)

PAYLOAD = """{
  "text": {{ ("Run " ~ flow_run.name ~ " of " ~ flow.name ~ " ended as Crashed: "
              ~ flow_run.state.message) | tojson }},
  "flow": {{ flow.name | tojson }},
  "run": {{ flow_run.name | tojson }},
  "state": "Crashed",
  "message": {{ flow_run.state.message | tojson }}
}"""
"""Jinja template of what `notifications.notify_failure` posts; here the run's process is dead, so
the server posts it."""


def crash_dead_runs() -> None:
    """Have the server mark a run as crashed when its heartbeats stop or it never starts.

    Prefect's open-source server does not do this by itself: a run whose machine died would stay
    Running forever and occupy its deployment's concurrency slot.
    """
    _crash_after(
        "Crash silent runs",
        after={HEARTBEAT_EVENT},
        expect={HEARTBEAT_EVENT, *FINAL_EVENTS},
        seconds=HEARTBEAT_TIMEOUT,
    )
    started = {"prefect.flow-run.Running", "prefect.flow-run.Scheduled"}
    _crash_after(
        "Crash runs that do not start",
        after={"prefect.flow-run.Pending"},
        expect={HEARTBEAT_EVENT, *started, *FINAL_EVENTS},
        seconds=START_TIMEOUT,
    )


def _crash_after(name: str, after: set[str], expect: set[str], seconds: int) -> None:
    """Create or renew the automation that crashes a run with no `expect` event in time.

    An automation that is up to date stays: it knows since when each run has been silent.
    """
    message = f"{NO_HEARTBEAT} for {seconds} s: the process, its machine or the network died."
    automation = Automation(
        name=name,
        description=f"{', '.join(sorted(after))}, then nothing for {seconds} s.",
        trigger=EventTrigger(
            match={"prefect.resource.id": RUNS},
            match_related=FLOWS,
            after=after,
            expect=expect,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"{message} {RESUME}")],
    )
    if (existing := _find(name)) is not None:
        if _same(existing, automation):
            return
        _ = existing.delete()
    _ = automation.create()  # synchronous outside an event loop, despite its type


def _same(existing: Automation, wanted: Automation) -> bool:
    return existing.description == wanted.description and existing.actions == wanted.actions


def notify_about_dead_runs(url: str | None) -> None:
    """Have the server call a webhook for each run that it marks as crashed.

    Args:
        url: Where to post; None removes the automation.
    """
    name = "Notify about dead runs"
    if (existing := _find(name)) is not None:
        _ = existing.delete()
    if not url:
        return
    webhook = Webhook(url=url, headers=SecretDict({"content-type": "application/json"}))
    block = webhook.save("autoencoders", overwrite=True)
    automation = Automation(
        name=name,
        description="A dead run has no process left to call the webhook.",
        trigger=EventTrigger(
            match={"prefect.resource.id": RUNS, "prefect.state-message": f"{NO_HEARTBEAT}*"},
            match_related=FLOWS,
            expect={"prefect.flow-run.Crashed"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block, payload=PAYLOAD)],
    )
    _ = automation.create()


def _find(name: str) -> Automation | None:
    try:
        return Automation.read(name=name)  # type: ignore[return-value]  # synchronous, as above
    except ValueError:
        return None
