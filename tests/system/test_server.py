"""Deployments, with what `make server` starts: a real server, work pool and worker, on loopback."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml
from prefect.cli.deploy._models import DeploymentConfig
from prefect.flows import load_flow_from_entrypoint
from prefect.workers.process import ProcessWorker

from flows.by_hand import Job
from flows.full import full
from flows.ops.automations import HEARTBEAT_TIMEOUT
from tests.support import (
    HOME,
    SMALL,
    Project,
    Served,
    Webhook,
    contents,
    descendants,
    write_dataset,
)

DEPLOYMENTS = yaml.safe_load((HOME / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_prefect_would_drop_nothing_of_a_deployment(deployment):
    """Keys that it does not know it ignores silently, at any depth."""
    understood = DeploymentConfig.model_validate(deployment).model_dump(exclude_unset=True)
    assert json.loads(json.dumps(understood, default=str)) == deployment
    variables = ProcessWorker.get_default_base_job_template()["variables"]["properties"]
    assert set(deployment["work_pool"]["job_variables"]) <= set(variables)
    flow = load_flow_from_entrypoint(deployment["entrypoint"])
    assert isinstance(flow, Job)
    given = deployment.get("parameters", {})
    if set(flow.parameters.required or ()) <= set(given):  # the rest is given with each run
        flow.validate_parameters(given)
    for schedule in deployment.get("schedules", []):
        assert schedule["slug"], "a new deploy would switch a paused schedule on"
        assert schedule["timezone"]
        assert len({"cron", "interval", "rrule"} & set(schedule)) == 1
        assert deployment["concurrency_limit"]["collision_strategy"] == "ENQUEUE"


def test_the_form_of_a_deployment_shows_help_and_range():
    """Prefect makes it from the settings' schema."""
    schema = full.parameters.model_dump()["definitions"]["TrainingSettings"]["properties"]

    assert schema["epochs"]["minimum"] == 1
    assert schema["epochs"]["description"].startswith("Number of passes over the training")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Start everything once for this module."""
    served = Served(tmp_path_factory.mktemp("served"))
    try:
        yield served
    finally:
        served.stop()


@pytest.mark.long
def test_a_deployment_runs_from_any_folder(served, tmp_path):
    """Its results are there, and settings that were not given are those of its preset."""
    done = served.deployed("quick", tmp_path, "--watch", seed=1)

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "latest" / "metrics.json").is_file()
    settings = json.loads((tmp_path / "latest" / "settings.json").read_text())
    assert (settings["seed"], settings["training"]["epochs"]) == (1, 2)


@pytest.mark.long
def test_a_wrong_parameter_is_refused_before_there_is_a_run(served, tmp_path):
    """The server knows the ranges."""
    before = served.states()
    done = served.deployed("quick", tmp_path, "--watch", training={"epochs": 0})

    assert done.returncode == 1
    assert "settings.training.epochs" in done.stdout + done.stderr
    assert served.states() == before


def known(served: Served) -> dict[str, object]:
    """Return what the server knows of the deployments, except when it learned it."""
    shown = {
        name: json.loads(served.prefect("deployment", "inspect", name, "-o", "json").stdout)
        for name in ("full/reference", "full/quick", "retrain/nightly")
    }
    for deployment in shown.values():
        for name in ("updated", "last_polled", "status"):
            deployment.pop(name)
        for schedule in deployment["schedules"]:
            schedule.pop("updated")
    return shown


@pytest.mark.long
def test_a_schedule_fires_and_a_new_deploy_changes_nothing(served):
    """Its runs complete by themselves. On or off is decided on the server, and no deploy changes
    it; changes of `prefect.yaml` still arrive."""
    switch = ("deployment", "schedule")
    [schedule] = known(served)["retrain/nightly"]["schedules"]
    assert not schedule["active"]
    before = len(served.states())
    served.prefect(*switch, "resume", "retrain/nightly", schedule["id"])
    decided = served.project.folder / "nightly" / "aliases" / "champion" / "00000001.json"
    served.wait(decided.exists, 240)
    served.project.edit("prefect.yaml", "interval: 30", "interval: 31")
    for _ in range(2):
        served.project.run_module("flows.ops.server", "deploy")
    [schedule] = known(served)["retrain/nightly"]["schedules"]
    assert schedule["active"]
    assert schedule["schedule"]["interval"] == 31
    served.prefect(*switch, "pause", "retrain/nightly", schedule["id"])
    served.wait(lambda: not {"RUNNING", "PENDING", "SCHEDULED"} & set(served.states()), 120)
    assert set(served.states()[: len(served.states()) - before]) == {"COMPLETED"}

    deployed = known(served)
    assert deployed["retrain/nightly"]["schedules"][0]["active"] is False
    served.project.run_module("flows.ops.server", "deploy")
    assert known(served) == deployed


@pytest.mark.slow
def test_a_run_by_hand_uses_the_server_that_is_there(served, tmp_path):
    """Without being told where it is, on whichever port: a second one would use its database."""
    before = len(served.states())
    environment = {**served.environment, "PREFECT_API_URL": ""}
    del environment["PREFECT_SERVER_API_PORT"]
    options = ("--data", served.project.folder / "data", "--artifacts", tmp_path, *SMALL)
    Project(served.project.folder, environment).run("full.py", *options)

    assert served.states()[: -before or None] == ["COMPLETED"]


@pytest.mark.slow
def test_the_pages_speak_to_their_server_alone(served):
    """They advertise nothing, may connect nowhere else, and links lead to those with drawings."""
    root = f"http://127.0.0.1:{served.port}"
    settings = httpx.get(f"{root}/api/admin/settings", trust_env=False).json()["server"]
    browser = httpx.Client(headers={"Accept": "text/html"}, trust_env=False)
    pages = [browser.get(f"{root}/{name}").text for name in ("v2/", "v2/dashboard", "flows")]
    link = served.project.folder / "link"
    run = served.prefect("deployment", "run", "retrain/nightly")
    served.environment["PREFECT_UI_URL"] = f"{root}/v2"
    linked = served.prefect("deployment", "run", "retrain/nightly", "-p", f"artifacts={link}")
    del served.environment["PREFECT_UI_URL"]

    assert settings["analytics_enabled"] is False
    assert settings["ui"]["show_promotional_content"] is False
    assert all("connect-src 'self' ws: wss:\"" in page for page in pages)
    assert f"{root}/v2/runs/flow-run/" in linked.stdout
    assert f"export PREFECT_API_URL={root}/api PREFECT_UI_URL={root}/v2\n" in served.output()
    assert run.returncode == 0
    served.wait(link.exists, 120)
    served.wait(lambda: set(served.states()) <= {"COMPLETED"}, 120)
    assert f"{root}/v2/runs/flow-run/" in served.output(), "in the log of a run"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no browser")
@pytest.mark.parametrize("path", ["v2/dashboard", "dashboard"])
def test_a_browser_asks_no_analytics_host(served, tmp_path, path):
    """The log of its connections has this server and, for its own purposes, its maker's."""
    log = tmp_path / "connections.json"
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
         "--virtual-time-budget=10000", f"--log-net-log={log}", "--dump-dom",
         f"http://127.0.0.1:{served.port}/{path}"], capture_output=True, timeout=120,
    )  # fmt: skip
    hosts = set(re.findall(r'"url":"https?://([^/":?]+)', log.read_text()))

    assert "127.0.0.1" in hosts
    assert {host for host in hosts if "amplitude" in host or "prefect" in host} == set()


def test_runs_by_hand_send_heartbeats_often_enough(server_environment):
    """The server crashes runs that send none; Prefect's own default is every three minutes."""
    code = (
        "from prefect.settings import get_current_settings as current\n"
        "from flows.by_hand import job\n"
        "job(name='probe')(lambda: print(current().flows.heartbeat_frequency))()\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=HOME, env=server_environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert 4 * int(shown) <= HEARTBEAT_TIMEOUT


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_ends_everything_and_says_so(tmp_path):
    """Even typed twice: no process stays, and the run under way has reported how it ended."""
    served = Served(tmp_path, terminal=True)
    begun(served, tmp_path / "artifacts")
    below = descendants(served.process.pid)
    served.process.stdin.write(b"\x03")
    served.process.stdin.flush()
    time.sleep(0.5)
    served.process.stdin.write(b"\x03")
    served.process.stdin.flush()

    assert served.process.wait(60) == 130, served.output()[-5000:]
    assert "Stopped: the server, its worker and their runs have ended." in served.output()
    assert "error" not in served.output()[-200:]
    assert not [number for number in below if Path(f"/proc/{number}").exists()]
    [message] = served.webhook.received
    assert "Execution was aborted by a termination signal" in message["message"]
    served.started()
    try:
        assert served.states() == ["CRASHED"]
    finally:
        served.stop()


def test_a_server_that_does_not_answer_is_reported_in_one_line(server_environment):
    """Which address it was, and what to check."""
    environment = {**server_environment, "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    refused = Project(HOME, environment).run_module("flows.ops.server", "deploy", code=1)

    assert "The server at http://127.0.0.1:9/api cannot be used" in refused
    assert "Traceback" not in refused


EPOCHS = 400
"""So many that there is time to kill something."""


@pytest.fixture(scope="module")
def straight(served):
    """What an uninterrupted run leaves."""
    folder = served.project.folder / "straight"
    done = served.deployed("quick", folder, "--watch", training={"epochs": EPOCHS})
    assert done.returncode == 0, done.stdout + done.stderr
    return contents(folder / "latest")


def begun(served: Served, artifacts: Path) -> None:
    """Start a run, and wait until it trains."""
    before = len(served.output())
    done = served.deployed("quick", artifacts, training={"epochs": EPOCHS})
    assert done.returncode == 0, done.stdout + done.stderr
    served.wait(lambda: "epoch 20/" in served.output()[before:], 60)


@pytest.mark.slow
@pytest.mark.parametrize("away", [0, 60])
def test_a_run_outlives_its_server(served, straight, tmp_path, away):
    """Killed, it is restarted; the run waits for it and completes."""
    begun(served, tmp_path)
    if away:
        served.process.send_signal(signal.SIGSTOP)  # so that nothing starts it again
    served.kill("server start")
    time.sleep(away)
    served.process.send_signal(signal.SIGCONT)

    served.wait((tmp_path / "latest").exists, 180)
    served.wait(lambda: served.states()[0] == "COMPLETED", 60)
    assert contents(tmp_path / "latest") == straight
    assert "Prefect's server has died; starting it again." in served.output()


@pytest.mark.slow
def test_a_run_that_is_just_starting_outlives_its_server(served, tmp_path):
    """It keeps its turn among the runs of its deployment, without which Prefect cancels it."""
    before = len(served.output())
    done = served.prefect("deployment", "run", "retrain/nightly", "-p", f"artifacts={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    served.wait(lambda: "deployment steps completed" in served.output()[before:], 60)
    below = descendants(served.process.pid).items()
    [run] = [number for number, command in below if "prefect.engine" in command]
    os.kill(run, signal.SIGSTOP)  # until the server is back, so that it always comes in time
    served.kill("server start")
    served.wait(lambda: "docs" in served.output()[before:], 60)
    served.states()
    os.kill(run, signal.SIGCONT)

    served.wait(lambda: served.states()[0] not in ("PENDING", "RUNNING"), 180)
    assert served.states()[0] == "COMPLETED", served.output()[before:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("killed", "message"),
    [
        (["worker start"], "Execution was aborted"),  # its runs notice, and end themselves
        (["worker start", "server start"], "Execution was aborted"),
        (["prefect.engine", "worker start"], f"No heartbeat for {HEARTBEAT_TIMEOUT} s"),
    ],
)
def test_a_run_that_was_killed_is_crashed_and_the_next_resumes(
    served, straight, tmp_path, killed, message
):
    """Its state becomes right without help, and the next run leaves the same bytes."""
    received = len(served.webhook.received)
    begun(served, tmp_path)
    served.kill(*killed)

    served.wait(lambda: served.states()[0] == "CRASHED", HEARTBEAT_TIMEOUT + 150)
    served.wait(lambda: len(served.webhook.received) == received + 1, 30)
    assert message in served.webhook.received[-1]["text"]
    assert served.webhook.received[-1]["state"] == "Crashed"
    before = len(served.output())
    done = served.deployed("quick", tmp_path, "--watch", training={"epochs": EPOCHS})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resuming after epoch" in served.output()[before:]
    assert contents(tmp_path / "latest") == straight


@pytest.mark.slow
def test_a_machine_that_died_needs_nothing_but_a_new_start(served, straight, tmp_path):
    """Everything is killed, also what restarts the others."""
    begun(served, tmp_path)
    below = descendants(served.process.pid)
    served.process.kill()
    served.process.wait()
    for process in below:
        os.kill(process, signal.SIGKILL)

    served.started()
    served.wait(lambda: served.states()[0] == "CRASHED", HEARTBEAT_TIMEOUT + 150)
    done = served.deployed("quick", tmp_path, "--watch", training={"epochs": EPOCHS})
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(tmp_path / "latest") == straight
    assert not {"RUNNING", "PENDING"} & set(served.states())


@pytest.mark.parametrize("status", [204, pytest.param(404, marks=pytest.mark.slow)])
def test_a_failed_run_calls_a_webhook(run_flow, tmp_path, status):
    """And says in the log what to do; the URL, which may contain a secret, stays out of it."""
    webhook = Webhook(status)
    data = write_dataset(tmp_path / "data", side=12)
    (data / "test_data.csv").write_text("1,2\n")
    done = run_flow(
        "full", "--data", data, "--artifacts", tmp_path / "artifacts",
        "--image.height", 12, "--image.width", 12,
        AUTOENCODERS_WEBHOOK=webhook.url,
    )  # fmt: skip

    assert done.returncode == 1
    [message] = webhook.received
    assert message["state"] == "Failed"
    assert (
        "test_data.csv: an image has 2 values, expected a multiple of 144 (" in message["message"]
    )
    assert "run the same command again" in message["text"]
    assert webhook.url not in done.stdout + done.stderr
    logged = "AUTOENCODERS_WEBHOOK: the webhook answered 404." in done.stdout + done.stderr
    assert logged == (status == 404)
