"""Deploys: what they say, and which schedules are on and off afterwards. With a real server."""

import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.support import HOME, Served

pytestmark = pytest.mark.slow
NIGHTLY = "retrain/nightly"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Start everything once for this module; its schedule fires so rarely that no run disturbs."""
    served = Served(tmp_path_factory.mktemp("served"), every=86400)
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture
def written(served):
    """Put `prefect.yaml` back afterwards, and deploy it."""
    file = served.project.folder / "prefect.yaml"
    before = file.read_text()
    yield file
    file.write_text(before)
    served.project.run_module("flows.ops.server", "deploy")


def schedules(served: Served) -> dict[str | None, dict[str, object]]:
    """Return the schedules of the nightly deployment by their slugs."""
    shown = served.prefect("deployment", "inspect", NIGHTLY, "-o", "json").stdout
    return {schedule["slug"]: schedule for schedule in json.loads(shown)["schedules"]}


def switch(served: Served, verb: str, slug: str = "nightly") -> None:
    """Resume or pause a schedule as operations.md says."""
    done = served.prefect("deployment", "schedule", verb, NIGHTLY, schedules(served)[slug]["id"])
    assert done.returncode == 0, done.stdout + done.stderr


def deployed(served: Served) -> str:
    """Deploy; return what was said."""
    return served.project.run_module("flows.ops.server", "deploy")


def test_on_and_off_survive_deploys_and_restarts(served, written):
    """Three deploys and two restarts of `make server`; a changed time arrives."""
    for verb, active in (("resume", True), ("pause", False)):
        switch(served, verb)
        for interval in (86401, 86402, 86403):
            text = re.sub(r"interval: \d+", f"interval: {interval}", written.read_text())
            written.write_text(text)
            assert f"is {'on' if active else 'off'}" in deployed(served)
        for _ in range(2):
            served.stop()
            served.started()

        found = schedules(served)
        assert list(found) == ["nightly"]
        assert found["nightly"]["active"] is active
        assert found["nightly"]["schedule"]["interval"] == 86403


@pytest.mark.long
def test_no_run_is_lost_that_is_due_during_a_deploy(served, written):
    """Prefect removes all runs to come, and schedules others seconds later."""
    written.write_text(re.sub(r"interval: \d+", "interval: 2", written.read_text()))
    deployed(served)
    switch(served, "resume")
    for _ in range(2):
        deployed(served)
    switch(served, "pause")

    ours = {"deployments": {"name": {"any_": ["nightly"]}}, "sort": "EXPECTED_START_TIME_ASC"}
    address = {PREFECT_API_URL: served.environment["PREFECT_API_URL"]}
    with temporary_settings(address), get_client(sync_client=True) as client:
        runs = client.request("POST", "/flow_runs/filter", json=ours).json()
        for run in runs:  # none of them is to run; a busy SQLite refuses now and then: it retries
            client.request("DELETE", "/flow_runs/{id}", path_params={"id": run["id"]})
    due = [round(datetime.fromisoformat(run["expected_start_time"]).timestamp()) for run in runs
           if run["auto_scheduled"]]  # fmt: skip
    assert len(due) >= 4
    assert {later - earlier for earlier, later in itertools.pairwise(due)} == {2}


@pytest.mark.long
def test_a_renamed_schedule_stays_on(served, written):
    """It is the same one under another name, also over the next deploy."""
    switch(served, "resume")
    written.write_text(written.read_text().replace("slug: nightly", "slug: every-night"))
    assert "schedule nightly: removed, or renamed" in deployed(served)
    deployed(served)

    assert {slug: one["active"] for slug, one in schedules(served).items()} == {"every-night": True}
    switch(served, "pause", "every-night")


@pytest.mark.long
def test_a_removed_schedule_is_removed(served, written):
    """It would fire for ever; one that is added instead begins as the file says."""
    switch(served, "resume")
    text = written.read_text()
    begin = text.index("    schedules:")
    written.write_text(text[:begin])
    said = deployed(served)
    assert "schedule nightly: removed" in said
    assert schedules(served) == {}

    written.write_text(text)
    deployed(served)
    assert {slug: one["active"] for slug, one in schedules(served).items()} == {"nightly": False}


@pytest.mark.long
def test_a_schedule_made_on_the_server_stays(served, written):
    """And beside it, a paused one of the file stays paused: Prefect would switch it on."""
    create = ("deployment", "schedule", "create", NIGHTLY)
    done = served.prefect(*create, "--cron", "0 4 * * *", "--timezone", "UTC", "--no-active")
    assert done.returncode == 0, done.stdout + done.stderr
    before = {slug: one["active"] for slug, one in schedules(served).items()}
    for _ in range(2):
        deployed(served)

    found = schedules(served)
    assert {slug: one["active"] for slug, one in found.items()} == before
    assert before["nightly"] is False
    assert found[None]["schedule"]["cron"] == "0 4 * * *"
    served.prefect("deployment", "schedule", "delete", NIGHTLY, found[None]["id"], "-y")


def test_a_deploy_says_at_once_what_it_does_and_in_the_end_what_it_did(served, written):
    """Which deployments were created, changed, or neither; and where."""
    written.write_text(written.read_text().replace("name: quick", "name: mine"))
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.ops.server", "deploy"], cwd=served.project.folder,
        env=served.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    began = time.monotonic()
    first = process.stdout.readline()
    early = time.monotonic() - began
    rest = process.communicate(timeout=120)[0]
    took = time.monotonic() - began

    assert first == "Registering the deployments of prefect.yaml ...\n"
    assert early < took / 3, "before Prefect is imported"
    assert "full/reference: unchanged\n" in rest
    assert "full/mine: created\n" in rest
    assert "full/quick: not in prefect.yaml, left as it is" in rest
    assert "prefect deployment delete full/quick" in rest
    assert rest.endswith(f"Done, at http://127.0.0.1:{served.port}/api.\n")
    assert served.prefect("deployment", "delete", "full/mine").returncode == 0


@pytest.mark.long
def test_a_schedule_without_a_name_is_refused(served, written):
    """The next deploy could not find it again."""
    written.write_text(written.read_text().replace("slug: nightly, ", ""))
    refused = served.project.run_module("flows.ops.server", "deploy", code=1)

    assert "a schedule of retrain/nightly has no slug" in refused
    assert "Traceback" not in refused


def test_a_file_that_is_no_yaml_is_refused_in_words(served, written):
    """With the line."""
    written.write_text("deployments: [\n")
    refused = served.project.run_module("flows.ops.server", "deploy", code=1)

    assert "prefect.yaml" in refused
    assert "line 2" in refused
    assert "Traceback" not in refused


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_deploy_is_what_the_page_says(served):
    """The command of operations.md is the module's."""
    shown = subprocess.run(["make", "-n", "deploy"], cwd=HOME, capture_output=True, text=True)
    assert "-m flows.ops.server deploy" in shown.stdout
