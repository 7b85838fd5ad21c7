"""What a deployment's runs are called, and what they say when they are refused."""

import json

import pytest

from tests.support import IMAGE, Served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Start everything once for this module."""
    served = Served(tmp_path_factory.mktemp("served"))
    try:
        yield served
    finally:
        served.stop()


def newest(served: Served) -> dict[str, object]:
    """Return the newest flow run as the server knows it."""
    [run] = json.loads(served.prefect("flow-run", "ls", "--limit", 1, "-o", "json").stdout)
    shown = served.prefect("flow-run", "inspect", run["id"], "-o", "json").stdout
    found: dict[str, object] = json.loads(shown)
    return found


def test_a_refused_run_says_why_and_what_to_set(served, tmp_path):
    """Whoever watches it reads the reason, once, with parameters instead of options; so does
    whoever looks at the run's state."""
    before = len(served.output())
    done = served.deployed("quick", tmp_path, "--watch", image={"height": 28, "width": 28})
    watched = " ".join((done.stdout + done.stderr).split())
    reason = 'Say its shape: settings={"image": {"height": 12, "width": 12}},'

    assert done.returncode == 1
    assert watched.count(reason) == 1, watched
    assert "--image" not in watched
    assert "Traceback" not in watched
    assert "Failed to write result" not in watched
    assert reason in newest(served)["state"]["message"]
    assert served.output()[before:].count(reason) == 1


@pytest.mark.long
def test_a_folder_that_is_missing_is_a_parameter(served, tmp_path):
    """`data`, as the form calls it."""
    done = served.prefect(
        "deployment", "run", "full/quick", "--watch", "-p", "data=/none",
        "-p", f"artifacts={tmp_path}",
    )  # fmt: skip

    assert done.returncode == 1
    message = newest(served)["state"]["message"]
    assert message.endswith(
        "/none: no such file or folder. Give the path of the images with `data`."
    )


def test_a_run_is_named_by_its_settings_and_tagged(served, tmp_path):
    """In Prefect's list of runs; the tags are its preset and its data."""
    done = served.deployed("quick", tmp_path, "--watch", seed=3)
    assert done.returncode == 0, done.stdout + done.stderr
    run = newest(served)

    assert run["name"] == f"quick, images {IMAGE['height']} x {IMAGE['width']}, seed 3"
    assert set(run["tags"]) == {"quick", "data"}


def test_a_name_that_somebody_chose_is_kept(served, tmp_path):
    """Also when the run is retried."""
    options = ("--watch", "--flow-run-name", "before-lunch", "--tag", "trial")
    done = served.deployed("quick", tmp_path, *options, training={"epochs": 1})
    assert done.returncode == 0, done.stdout + done.stderr
    run = newest(served)

    assert run["name"] == "before-lunch"
    assert set(run["tags"]) == {"trial", "quick", "data"}
    [folder] = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("-before-lunch")


def test_a_retried_run_keeps_its_name(served, tmp_path):
    """What it was called by its settings the first time."""
    served.deployed("quick", tmp_path, "--watch", image={"height": 28, "width": 28}, seed=4)
    first = newest(served)
    served.prefect("flow-run", "retry", first["id"])
    served.wait(lambda: newest(served)["run_count"] == 2, 90)
    served.wait(lambda: newest(served)["state"]["type"] == "FAILED", 90)

    assert first["name"] == newest(served)["name"]
    assert first["name"].endswith("seed 4")
    assert first["id"] == newest(served)["id"]


def test_a_cancelled_run_ends_and_says_so(served, tmp_path):
    """As Prefect's pages cancel it: nothing of it is left, and nothing looks like a failure."""
    before = len(served.output())
    served.deployed("quick", tmp_path, training={"epochs": 100_000})
    served.wait(lambda: "epoch 20/" in served.output()[before:], 120)
    run = newest(served)
    served.prefect("flow-run", "cancel", run["id"])
    served.wait(lambda: newest(served)["state"]["type"] == "CANCELLED", 120)
    done = served.deployed("quick", tmp_path, "--watch", training={"epochs": 1})

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in served.output()[before:]
    assert [path.name for path in (tmp_path / "locks").glob("train-*")] == []
