"""Whether a schedule is on is decided on the server, not by the next deploy."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse

from autoencoders.errors import PipelineError

Deployments = Mapping[str, DeploymentResponse]
"""What the server knows, by the names that it gives them: FLOW/DEPLOYMENT."""


def full_name(deployment: Mapping[str, Any]) -> str:
    """Return the name that the server will give to a deployment of `prefect.yaml`."""
    return f"{deployment['entrypoint'].rpartition('.')[2]}/{deployment['name']}"


def adapt_schedules(config: Mapping[str, Any], known: Deployments) -> None:
    """Adapt what `prefect.yaml` says of schedules to what is on the server.

    The file says whether a schedule is on when it is created. One that the server has already, by
    its slug, stays on or off as somebody has set it there; everything else of it is applied. One
    whose slug has changed is the same one, if there is only one that it can have been. Schedules
    without a slug were made on the server, and stay there.

    Args:
        config: The content of the file, which is changed.
        known: Its deployments that the server has.

    Raises:
        PipelineError: If a schedule of the file has no slug.
    """
    for deployment in config["deployments"]:
        if not all("slug" in one for one in deployment.get("schedules", [])):
            raise PipelineError(
                problem=f"prefect.yaml: a schedule of {full_name(deployment)} has no slug.",
                advice="Give it a name (slug: every-night, say), by which a deploy finds it again.",
            )
        if (found := known.get(full_name(deployment))) is None:
            continue
        wanted = deployment.setdefault("schedules", [])
        existing = {one.slug: one for one in found.schedules if one.slug}
        _name_predecessors(wanted, existing)
        for schedule in wanted:
            if (same := existing.get(schedule.get("replaces", schedule["slug"]))) is not None:
                # Not left out: Prefect would switch it on if it creates all of them anew, as it
                # does where one has no slug
                schedule["active"] = same.active
        wanted += [_as_written(one) for one in found.schedules if not one.slug]


def dropped(config: Mapping[str, Any], known: Deployments) -> list[tuple[UUID, UUID]]:
    """Return deployment and ID of each schedule that came from the file and is no longer in it;
    Prefect would keep them."""
    return [
        (found.id, schedule.id)
        for deployment in config["deployments"]
        if (found := known.get(full_name(deployment))) is not None
        for schedule in found.schedules
        if schedule.slug and schedule.slug not in _slugs(deployment)
    ]


def describe(schedule: DeploymentSchedule) -> str:
    """Return a schedule in one line: its name, when it fires, whether it is on."""
    when = {key: value for key, value in _as_written(schedule).items() if key in WHEN}
    times = " ".join(str(value) for value in when.values())
    return f"{schedule.slug or schedule.id} ({times}) is {'on' if schedule.active else 'off'}"


WHEN = ("cron", "interval", "rrule", "timezone")


def _name_predecessors(
    wanted: list[dict[str, Any]], existing: Mapping[str, DeploymentSchedule]
) -> None:
    """Say of a schedule which one on the server it replaces under another name."""
    for schedule in wanted:
        if schedule["slug"] in existing or schedule.get("replaces") not in existing:
            schedule.pop("replaces", None)  # done by an earlier deploy; Prefect refuses it twice
    gone = set(existing) - {one["slug"] for one in wanted} - {one.get("replaces") for one in wanted}
    new = [one for one in wanted if one["slug"] not in existing and "replaces" not in one]
    if len(gone) == len(new) == 1:
        new[0]["replaces"] = gone.pop()


def _slugs(deployment: Mapping[str, Any]) -> set[str | None]:
    return {schedule.get("slug") for schedule in deployment.get("schedules", [])}


def _as_written(schedule: DeploymentSchedule) -> dict[str, Any]:
    """Return a schedule of the server in the form of `prefect.yaml`."""
    when = schedule.schedule.model_dump(mode="json", exclude_none=True)
    return {**when, "active": schedule.active, "parameters": schedule.parameters}
