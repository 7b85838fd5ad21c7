"""Deployments, with what `make server` starts: a real server, work pool and worker, on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from prefect.cli.deploy._models import DeploymentConfig
from prefect.flows import load_flow_from_entrypoint

from flows.full import full
from tests.conftest import HOME, Project

DEPLOYMENTS = yaml.safe_load((HOME / "prefect.yaml").read_text())["deployments"]
IMAGE = {"height": 12, "width": 12}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_prefect_would_drop_nothing_of_a_deployment(deployment):
    """Keys that Prefect does not know it ignores without a word."""
    assert set(deployment) <= set(DeploymentConfig.model_fields)
    assert load_flow_from_entrypoint(deployment["entrypoint"]) is full
    full.validate_parameters(deployment.get("parameters", {}))
    for schedule in deployment.get("schedules", []):
        assert schedule["slug"], "a new deploy would switch a paused schedule on"
        assert schedule["timezone"]
        assert len({"cron", "interval", "rrule"} & set(schedule)) == 1
        assert deployment["concurrency_limit"]["collision_strategy"] == "ENQUEUE"


def test_the_form_of_a_deployment_shows_help_and_range():
    """Prefect makes it from the settings' schema."""
    schema = full.parameters.model_dump()["definitions"]["TrainingSettings"]["properties"]

    assert schema["epochs"]["minimum"] == 1
    assert schema["epochs"]["description"].startswith("Passes over the training images")


class Served:
    """A project whose server, worker and deployments run."""

    def __init__(self, project: Project, port: int) -> None:
        """Name the project and the port of its server."""
        self.project = project
        self.environment = {
            **project.environment, "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        }  # fmt: skip

    def prefect(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run one of Prefect's commands, from some other folder."""
        return subprocess.run(
            [sys.executable, "-m", "prefect", *map(str, arguments)],
            cwd="/", env=self.environment, capture_output=True, text=True, timeout=280,
        )  # fmt: skip

    def runs(self) -> list[tuple[str, str]]:
        """Return the name of the deployment's flow run and its state, the newest first."""
        shown = self.prefect("flow-run", "ls", "--limit", 50, "-o", "json")
        return [(run["name"], run["state_type"]) for run in json.loads(shown.stdout)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Start `flows/server.py` of a copy whose nightly run takes small data every ten seconds."""
    folder = tmp_path_factory.mktemp("served")
    environment = {name: value for name, value in os.environ.items()
                   if name != "PREFECT_API_URL"}  # fmt: skip
    environment["PREFECT_HOME"] = str(folder / "home")
    environment["PYTHONPATH"] = str(folder)
    environment["AUTOENCODERS_WEBHOOK"] = "http://127.0.0.1:9/nobody"
    project = Project.made(folder, environment)
    settings = {"image": IMAGE, "training": {"epochs": 1}}
    text = (HOME / "prefect.yaml").read_text()
    text = text.replace('cron: "0 3 * * *", timezone: UTC', "interval: 10")
    text = text.replace(
        "{data: data/sample}",
        json.dumps({"data": str(folder / "data"), "settings": settings,
                    "artifacts": str(folder / "nightly")}),
    )  # fmt: skip
    (folder / "prefect.yaml").write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, folder / "flows" / "server.py", "--port", str(port)],
        env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        for _ in range(360):
            said = (folder / "server.log").read_text()
            if "Ctrl-C stops it" in said or process.poll() is not None:
                break
            time.sleep(0.5)
        assert "Ctrl-C stops it" in said, said
        yield Served(project, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)
    assert process.returncode == 143, (folder / "server.log").read_text()


def parameters(served: Served, artifacts: Path, **training: object) -> list[str]:
    """Return the options of a deployment run on the small data."""
    settings = {"image": IMAGE, "training": {"epochs": 2, **training}}
    return ["-p", f"data={served.project.folder / 'data'}", "-p", f"artifacts={artifacts}",
            "-p", f"settings={json.dumps(settings)}"]  # fmt: skip


@pytest.mark.slow
def test_a_deployment_runs_from_any_folder(served, tmp_path):
    """Prefect's command ends well, and the results are there."""
    done = served.prefect("deployment", "run", "full/quick", "--watch",
                          *parameters(served, tmp_path))  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "latest" / "metrics.json").is_file()


@pytest.mark.slow
def test_a_wrong_parameter_is_refused_before_there_is_a_run(served, tmp_path):
    """The server knows the ranges."""
    before = len(served.runs())
    done = served.prefect("deployment", "run", "full/quick", "--watch",
                          *parameters(served, tmp_path, epochs=0))  # fmt: skip

    assert done.returncode == 1
    assert "settings.training.epochs" in done.stdout + done.stderr
    assert len(served.runs()) == before


@pytest.mark.slow
def test_a_schedule_fires_and_a_new_deploy_leaves_its_switch_alone(served):
    """Its runs end well by themselves; switched off, it stays off over another deploy."""
    switch = ("deployment", "schedule")
    listed = json.loads(served.prefect(*switch, "ls", "full/nightly", "-o", "json").stdout)
    [schedule] = listed["schedules"] if isinstance(listed, dict) else listed
    assert not schedule["active"]
    served.prefect(*switch, "resume", "full/nightly", schedule["id"])
    latest = served.project.folder / "nightly" / "latest"
    for _ in range(240):
        if latest.exists():
            break
        time.sleep(0.5)
    assert latest.exists()
    served.prefect(*switch, "pause", "full/nightly", schedule["id"])

    again = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=served.project.folder, env=served.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    shown = served.prefect(*switch, "ls", "full/nightly", "-o", "json").stdout
    after = json.loads(shown)
    [same] = after["schedules"] if isinstance(after, dict) else after
    assert (same["id"], same["active"]) == (schedule["id"], False)


def test_a_failed_run_tells_a_webhook(run_flow, tmp_path, write_dataset):
    """And says in the log what to do."""
    received: list[dict[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            received.append(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    data = write_dataset(tmp_path / "data", side=12)
    (data / "test_data.csv").write_text("1,2\n")
    done = run_flow(
        "full", "--data", data, "--artifacts", tmp_path / "artifacts",
        "--image.height", 12, "--image.width", 12,
        AUTOENCODERS_WEBHOOK=f"http://127.0.0.1:{server.server_port}/hook",
    )  # fmt: skip
    server.shutdown()

    assert done.returncode == 1
    [message] = received
    assert message["state"] == "Failed"
    assert "test_data.csv, row 1" in message["message"]
    assert "run it again" in message["text"]
