"""A server that other machines reach: with a login, or only if its owner wants it without."""

import base64
import json
import subprocess
import sys

import httpx
import pytest

from tests.support import HOME, SMALL, Project, Served, descendants

PASSWORD = "c0rrect-horse"
ELSEWHERE = "0.0.0.0"


def refused(environment, *options):
    """Return the message with which a server does not start."""
    project = Project(HOME, {**environment, "PREFECT_API_URL": ""})
    return project.run_module("flows.ops.server", *options, code=1)


@pytest.mark.parametrize("host", [ELSEWHERE, "::"])
def test_a_server_on_the_network_without_a_log_in_is_refused(server_environment, host):
    """Whoever reaches it can run programs; the message says what to set."""
    message = refused(server_environment, "--host", host)

    assert f"A server on {host} can be reached from the network" in message
    assert "export PREFECT_API_AUTH_STRING=USER:PASSWORD" in message
    assert "--without-login" in message


@pytest.mark.parametrize("value", ["team", "team:", ":word", "team:wörd"])
def test_a_log_in_of_another_form_is_refused_without_showing_it(server_environment, value):
    """Prefect would accept it, and no page could log in with it."""
    environment = {**server_environment, "PREFECT_API_AUTH_STRING": value}
    message = refused(environment, "--host", ELSEWHERE)

    assert "PREFECT_API_AUTH_STRING: expected USER:PASSWORD" in message
    assert "wörd" not in message


def test_two_log_ins_are_refused(server_environment):
    """One of them would lock out what uses the other."""
    names = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING")
    environment = {**server_environment, names[0]: "a:b", names[1]: "a:c"}
    assert "differ" in refused(environment, "--host", ELSEWHERE)


@pytest.fixture(scope="module", params=["PREFECT_API_AUTH_STRING"])
def served(tmp_path_factory, request):
    """A server on every address, with one variable set."""
    served = Served(
        tmp_path_factory.mktemp("served"),
        "--host",
        ELSEWHERE,
        **{request.param: f"team:{PASSWORD}"},
    )
    try:
        yield served
    finally:
        served.stop()


@pytest.mark.slow
def test_one_variable_is_the_log_in_of_everything(served, tmp_path):
    """Of the API, of the pages, the worker, its runs, of deploys and of runs by hand."""
    api = f"http://127.0.0.1:{served.port}/api/flows/count"
    good = httpx.BasicAuth("team", PASSWORD)
    answers = [httpx.post(api, trust_env=False, auth=auth).status_code for auth in (None, good)]
    pages = httpx.get(f"http://127.0.0.1:{served.port}/ui-settings", trust_env=False).json()
    done = served.deployed("quick", tmp_path / "deployed", "--watch")
    said = served.project.run_module("flows.ops.server", "deploy")
    by_hand = Project(served.project.folder, {**served.environment, "PREFECT_API_URL": ""})
    by_hand.run("full.py", "--data", served.project.folder / "data",
                "--artifacts", tmp_path / "by-hand", *SMALL)  # fmt: skip

    assert answers == [401, 200]
    assert pages["auth"] == "BASIC"
    assert done.returncode == 0, done.stdout + done.stderr
    assert "full/quick: unchanged" in said
    assert served.states() == ["COMPLETED", "COMPLETED"]


@pytest.mark.slow
def test_the_password_is_in_no_list_of_processes_and_in_no_log(served):
    """Every user of a machine can read the first."""
    listed = json.dumps(descendants(served.process.pid))
    encoded = base64.b64encode(f"team:{PASSWORD}".encode()).decode()

    assert "server start" in listed
    assert PASSWORD not in listed + served.output()
    assert encoded not in listed + served.output()


@pytest.mark.slow
def test_a_run_by_hand_without_the_log_in_starts_no_second_server(served):
    """It would use the same database; the message says what to set."""
    environment = {**served.environment, "PREFECT_API_URL": ""}
    del environment["PREFECT_API_AUTH_STRING"]
    refused = Project(served.project.folder, environment).run("full.py", code=1)

    assert f"at http://127.0.0.1:{served.port}, requires a login" in refused
    assert "Set PREFECT_API_AUTH_STRING=USER:PASSWORD" in refused


@pytest.mark.slow
def test_a_deploy_without_the_log_in_says_what_to_set(served):
    """In one line."""
    environment = {**served.environment}
    del environment["PREFECT_API_AUTH_STRING"]
    done = subprocess.run(
        [sys.executable, "-m", "flows.ops.server", "deploy"], cwd=served.project.folder,
        env=environment, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 1
    assert "401 Unauthorized" in done.stderr
    assert "if it requires a login, set PREFECT_API_AUTH_STRING" in done.stderr
    assert "Traceback" not in done.stderr
