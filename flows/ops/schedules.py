"""Whether a schedule is on is decided on the server, not by the next deploy."""

from pathlib import Path

import yaml
from prefect.client.orchestration import get_client


def deployments_to_apply(path: Path) -> str:
    """Return the deployments of a `prefect.yaml` as they are to be applied to the server.

    The file says whether a schedule is on when it is created. Of one that the server has already,
    this is left out, so that it stays on or off as somebody has set it there; everything else of it
    is applied.

    Args:
        path: The file.

    Raises:
        httpx.HTTPError: If the server does not answer.
    """
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = _known_schedules()
    for deployment in config["deployments"]:
        flow = deployment["entrypoint"].rpartition(".")[2]
        for schedule in deployment.get("schedules", []):
            if (flow, deployment["name"], schedule["slug"]) in known:
                schedule.pop("active", None)
    text: str = yaml.safe_dump(config, sort_keys=False)
    return text


def _known_schedules() -> set[tuple[str, str, str | None]]:
    """Return flow, deployment and slug of every schedule on the server."""
    found = set()
    with get_client(sync_client=True) as client:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        for deployment in client.read_deployments():
            flow = flows.get(deployment.flow_id, "")
            found |= {(flow, deployment.name, one.slug) for one in deployment.schedules}
    return found
