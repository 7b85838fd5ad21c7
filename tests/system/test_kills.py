"""Kill it at any moment, run it again: the end is the same bytes."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.support import (
    STEPS,
    contents,
    free_port,
    published_is_whole,
    start,
    states,
    write_dataset,
)
from tests.system.soak import soak


def wait_for(process: subprocess.Popen[str], pattern: str) -> str:
    """Read the output up to a line with `pattern`; return it."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return "".join(seen)
    raise AssertionError("".join(seen))


@pytest.fixture(scope="module")
def straight(tmp_path_factory, server_environment):
    """The data, and what an uninterrupted run of it leaves."""
    folder = tmp_path_factory.mktemp("straight")
    data = write_dataset(folder / "data", side=12)
    process = start(folder / "artifacts", data, server_environment)
    output = process.communicate(timeout=200)[0]
    assert process.returncode == 0, output
    return data, contents(folder / "artifacts" / "latest")


@pytest.mark.long
def test_a_run_killed_in_training_resumes_from_the_last_epoch(
    straight, tmp_path, server_environment
):
    """Weights, optimiser, shuffling and noise included: the bytes are those of one straight run."""
    data, expected = straight
    process = start(tmp_path, data, server_environment)
    wait_for(process, "autoencoder: epoch 2/4")
    process.kill()
    process.communicate()
    assert published_is_whole(tmp_path)
    assert not (tmp_path / "latest").exists()

    second = start(tmp_path, data, server_environment)
    output = second.communicate(timeout=200)[0]

    assert second.returncode == 0, output
    assert re.search(r"autoencoder: resuming after epoch [23]", output)
    assert "autoencoder: epoch 1/4" not in output
    assert list(states(output).values()) == ["Cached"] * 6 + ["Completed"] * (len(STEPS) - 6)
    assert contents(tmp_path / "latest") == expected
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "optimizer",
    [pytest.param("rmsprop", marks=pytest.mark.slow), pytest.param("adamw", marks=pytest.mark.slow),
     pytest.param("muon", marks=pytest.mark.long)],
)  # fmt: skip
def test_a_killed_training_of_a_preset_resumes_with_every_optimiser(
    tmp_path, server_environment, optimizer
):
    """Moments, schedule and noise of a residual network too; its last epoch is not whole."""
    data = write_dataset(tmp_path / "data", side=12)
    options = ("--preset", "best", "--training.steps", 11, "--training.optimizer", optimizer)
    straight = start(tmp_path / "straight", data, server_environment, *options)
    said = straight.communicate(timeout=250)[0]
    assert straight.returncode == 0, said
    process = start(tmp_path / "killed", data, server_environment, *options)
    wait_for(process, "denoiser: epoch 2/4")
    process.kill()
    process.communicate()
    second = start(tmp_path / "killed", data, server_environment, *options)
    output = second.communicate(timeout=250)[0]

    assert second.returncode == 0, output
    assert re.search(r"denoiser: resuming after epoch [23]", output)
    assert contents(tmp_path / "killed" / "latest") == contents(tmp_path / "straight" / "latest")


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_resume(straight, tmp_path, server_environment, number, code):
    """Within seconds, with the exit code that shells expect."""
    process = start(tmp_path, straight[0], server_environment)
    wait_for(process, "autoencoder: epoch 1/4")
    process.send_signal(number)
    output = process.communicate(timeout=30)[0]

    assert process.returncode == code
    assert "error: stopped. Nothing is lost: run the same command again to resume" in output
    assert "Traceback" not in output
    assert published_is_whole(tmp_path)


@pytest.mark.parametrize(
    "count", [pytest.param(2, marks=pytest.mark.long), pytest.param(4, marks=pytest.mark.slow)]
)
def test_runs_at_once_compute_each_stage_once(straight, tmp_path, server_environment, count):
    """The others wait, then use what it wrote; all end with the same bytes."""
    data, expected = straight
    processes = [start(tmp_path, data, server_environment) for _ in range(count)]
    outputs = [process.communicate(timeout=280)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * count, outputs
    found = [states(output) for output in outputs]
    for step in STEPS:
        at_step = sorted(one[step] for one in found)
        assert at_step == ["Cached"] * (count - 1) + ["Completed"], step
    runs = sorted((tmp_path / "runs").iterdir())
    assert [contents(run) for run in runs] == [expected] * count


@pytest.mark.slow
def test_deleted_artifacts_are_computed_again_and_nothing_after_them(
    straight, tmp_path, server_environment
):
    """Early cut-off: they come out the same, so what follows stays cached."""
    data, expected = straight
    assert start(tmp_path, data, server_environment).wait(200) == 0
    for file in (tmp_path / "prepare").glob("*/images.npy"):
        file.unlink()
    [noisy, *_] = (tmp_path / "add_noise").glob("*/images.npy")
    noisy.chmod(0o644)
    os.truncate(noisy, 1000)
    process = start(tmp_path, data, server_environment)
    found = states(process.communicate(timeout=200)[0])

    assert sorted(step for step, state in found.items() if state == "Completed") in (
        ["add noise train", "prepare test", "prepare train"],
        ["add noise test", "prepare test", "prepare train"],
    )
    assert contents(tmp_path / "latest") == expected


@pytest.mark.long
def test_a_killed_server_leaves_a_store_to_resume_from(straight, tmp_path):
    """Prefect's server dies in the middle; the next run, with another server, ends the same."""
    data, expected = straight
    environment = {
        **os.environ, "PREFECT_HOME": str(tmp_path / "home"), "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_CLIENT_MAX_RETRIES": "0",
    }  # fmt: skip
    environment.pop("PREFECT_API_URL", None)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        import httpx

        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/api/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.3)
        artifacts = tmp_path / "artifacts"
        process = start(
            artifacts, data, {**environment, "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
        )
        wait_for(process, "autoencoder: epoch 1/4")
    finally:
        server.kill()
        server.wait()
    process.communicate(timeout=120)  # by itself, without minutes of trying to deliver its events
    assert process.returncode == 1
    assert published_is_whole(artifacts)

    again = start(artifacts, data, environment)
    output = again.communicate(timeout=200)[0]
    assert again.returncode == 0, output
    assert contents(artifacts / "latest") == expected


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "kills", [pytest.param(2, marks=pytest.mark.long), pytest.param(20, marks=pytest.mark.slow)]
)
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(
    straight, tmp_path, server_environment, kills
):
    """Nothing half-written is ever under a final name; `make soak` does it a hundred times."""
    assert soak(tmp_path, straight[0], server_environment, kills) >= 1
