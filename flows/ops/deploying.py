"""Register the work pool, the automations and the deployments of `prefect.yaml` with a server."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowFilterId
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from autoencoders.errors import PipelineError
from flows.ops.automations import crash_dead_runs, notify_about_dead_runs
from flows.ops.login import LOGIN
from flows.ops.notifications import WEBHOOK
from flows.ops.schedules import Deployments, adapt_schedules, describe, dropped, full_name
from flows.options import HOME

POOL = "local-process"
FILE = HOME / "prefect.yaml"
NO_CHANGE = {
    "updated",
    "version",
    "version_id",
    "version_info",
    "updated_by",
    "last_polled",
    "status",
}
"""Fields of a deployment that differ after a deploy that changed nothing."""


def register(url: str, environment: Mapping[str, str]) -> list[str]:
    """Create or update everything that `prefect.yaml` describes.

    Args:
        url: Address of the server's API.
        environment: All environment variables of `prefect deploy`, a login among them.

    Returns:
        What was done, one line per deployment and schedule.

    Raises:
        PipelineError: If the server does not answer, or refuses something.
    """
    try:
        config = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise PipelineError(f"{FILE}: {error}.", "Correct it, then deploy again.") from error
    with _connected(url, environment) as client:
        with contextlib.suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        crash_dead_runs()
        notify_about_dead_runs(os.environ.get(WEBHOOK))
        before = _known(client, config)
        adapt_schedules(config, before)
        began = datetime.now(UTC)
        _deploy(url, config, environment)
        for deployment_id, schedule_id in dropped(config, _known(client, config)):
            client.delete_deployment_schedule(deployment_id, schedule_id)
        after = _known(client, config)
        _schedule_runs(client, after, began)
        return [*_report(before, after), *_strangers(client, after)]


@contextlib.contextmanager
def _connected(url: str, environment: Mapping[str, str]) -> Iterator[SyncPrefectClient]:
    """Let Prefect's functions speak to a server."""
    settings = {PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: environment.get(LOGIN)}
    try:
        with temporary_settings(settings), get_client(sync_client=True) as client:
            yield client
    except httpx.HTTPError as error:
        raise PipelineError(
            problem=f"The server at {url} cannot be used: {error}.",
            advice=f"Check that it is running; if it requires a login, set {LOGIN}.",
        ) from error


def _known(client: SyncPrefectClient, config: Mapping[str, Any]) -> Deployments:
    """Return the deployments of the file that the server has."""
    found: dict[str, DeploymentResponse] = {}
    for name in map(full_name, config["deployments"]):
        with contextlib.suppress(ObjectNotFound):
            found[name] = client.read_deployment_by_name(name)
    return found


def _deploy(url: str, config: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(dict(config), file, sort_keys=False)
        file.flush()
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all",
             "--prefect-file", file.name],
            cwd=HOME, env={**environment, "PREFECT_API_URL": url}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise PipelineError(
            problem=f"The server at {url} refused the deployments:\n{done.stdout}{done.stderr}",
            advice="Fix prefect.yaml and run `make deploy`.",
        )


def _schedule_runs(client: SyncPrefectClient, deployments: Deployments, since: datetime) -> None:
    """Schedule the runs that are due from a time on.

    A deploy removes all runs to come, and the server schedules others only from the time on at
    which it notices, seconds later: what is due between is lost. A run that is there already is not
    made again, since the server knows it by its schedule and time; but schedules without a slug are
    others after each deploy.
    """
    for deployment in deployments.values():
        schedules = deployment.schedules
        if any(one.active for one in schedules) and all(one.slug for one in schedules):
            client.request(
                "POST", "/deployments/{id}/schedule", path_params={"id": deployment.id},
                json={"start_time": since.isoformat()},
            ).raise_for_status()  # fmt: skip


def _report(before: Deployments, after: Deployments) -> Iterator[str]:
    """Say what became of each deployment, and which schedules are on."""
    for name, deployment in after.items():
        if name not in before:
            change = "created"
        else:
            change = "unchanged" if _content(before[name]) == _content(deployment) else "updated"
        yield f"{name}: {change}"
        for schedule in deployment.schedules:
            verb = "pause" if schedule.active else "resume"
            yield (
                f"  schedule {describe(schedule)}; to change that: "
                f"prefect deployment schedule {verb} {name} {schedule.id}"
            )
        kept = {one.slug for one in deployment.schedules}
        for schedule in before[name].schedules if name in before else ():
            if schedule.slug not in kept:
                yield f"  schedule {schedule.slug}: removed, or renamed"


def _content(deployment: DeploymentResponse) -> dict[str, Any]:
    """Return what a deploy may change of a deployment."""
    content = deployment.model_dump(mode="json", exclude=NO_CHANGE)
    content["schedules"] = [
        {
            key: value
            for key, value in one.items()
            if key in ("schedule", "active", "parameters", "slug")
        }
        for one in content["schedules"]
    ]
    return content


def _strangers(client: SyncPrefectClient, ours: Deployments) -> Iterator[str]:
    """Name other deployments of the same flows: out of the file, they may still be scheduled."""
    flows = {deployment.flow_id: name.partition("/")[0] for name, deployment in ours.items()}
    known = {deployment.id for deployment in ours.values()}
    same_flows = FlowFilter(id=FlowFilterId(any_=list(flows)))
    for deployment in client.read_deployments(flow_filter=same_flows):
        if deployment.id not in known:
            name = f"{flows[deployment.flow_id]}/{deployment.name}"
            yield (
                f"{name}: not in prefect.yaml, left as it is; "
                f"to remove it: prefect deployment delete {name}"
            )
