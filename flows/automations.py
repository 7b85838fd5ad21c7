"""What Prefect's server does by itself for our runs: end those that died, and tell of it."""

from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.types import SecretDict

HEARTBEAT = 30
"""Seconds between two signs of life of a run: the shortest that Prefect allows."""
SILENCE = 240
"""Seconds without a sign of life after which a run counts as dead: the server may be away for some
minutes, and a run that was started without our settings gives one every three."""
START = 900
"""Seconds within which a run that a worker took must begin; a container has to come first."""
DEAD = "No sign of life"
"""How the message of a run that the server ended begins."""
RUNS = "prefect.flow-run.*"
FLOWS = {"prefect.resource.role": "flow", "prefect.resource.name": ["full", "glyphs"]}
"""Whose runs are ours; the server may serve other projects too."""
TELLING = """{
  "text": {{ ("Run " ~ flow_run.name ~ " of " ~ flow.name ~ " ended as Crashed: "
              ~ flow_run.state.message) | tojson }},
  "flow": {{ flow.name | tojson }},
  "run": {{ flow_run.name | tojson }},
  "state": "Crashed",
  "message": {{ flow_run.state.message | tojson }}
}"""
"""Jinja: the message of `hooks.tell`, sent by the server since the run's process is dead."""


def end_dead_runs() -> None:
    """Have the server mark a run as crashed that gives no more signs of life, or none at all.

    Prefect's own servers do nothing of the kind by themselves; a run whose machine died would be
    Running for ever, and its deployment's turn would never end.
    """
    ended = {f"prefect.flow-run.{state}"
             for state in ("Completed", "Failed", "Cancelled", "Crashed")}  # fmt: skip
    beat = "prefect.flow-run.heartbeat"
    _end_runs("Crash silent runs", {beat}, {beat, *ended}, SILENCE)
    pending = "prefect.flow-run.Pending"
    started = {"prefect.flow-run.Running", "prefect.flow-run.Scheduled"}
    _end_runs("Crash runs that do not start", {pending}, {beat, *started, *ended}, START)


def _end_runs(name: str, after: set[str], expect: set[str], seconds: int) -> None:
    """Create the automation that crashes runs with no event of `expect` in time, or renew it.

    One that is as it should be stays: it knows since when runs have been silent.
    """
    message = (
        f"{DEAD} for {seconds} s: the process, its machine or the network died. Run it again; it "
        "goes on from the last finished epoch."
    )
    automation = Automation(
        name=name,
        description=f"{', '.join(sorted(after))}, and no more for {seconds} s.",
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
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=message)],
    )
    if (before := _find(name)) is not None:
        if before.description == automation.description:
            return
        _ = before.delete()
    _ = automation.create()  # synchronous outside a loop, whatever its type says


def tell_of_dead_runs(url: str | None) -> None:
    """Have the server call a webhook for each run that it has ended; None ends that."""
    name = "Tell of dead runs"
    if (before := _find(name)) is not None:
        _ = before.delete()
    if not url:
        return
    webhook = Webhook(url=url, headers=SecretDict({"content-type": "application/json"}))
    automation = Automation(
        name=name,
        description="A run that died has no process left to call the webhook.",
        trigger=EventTrigger(
            match={"prefect.resource.id": RUNS, "prefect.state-message": f"{DEAD}*"},
            match_related=FLOWS,
            expect={"prefect.flow-run.Crashed"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            CallWebhook(
                block_document_id=webhook.save("autoencoders", overwrite=True), payload=TELLING
            )
        ],
    )
    _ = automation.create()


def _find(name: str) -> Automation | None:
    try:
        return Automation.read(name=name)  # type: ignore[return-value]  # as above
    except ValueError:
        return None
