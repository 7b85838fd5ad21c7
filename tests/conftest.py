"""What several test modules need: small real files, and a real Prefect server for the session."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from prefect.settings import PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

HOME = Path(__file__).resolve().parents[1]
SHARED = HOME.parent / "shared" / "notmnist"


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own."""
    with (
        temporary_settings({PREFECT_SERVER_ANALYTICS_ENABLED: False}),  # it needs a network
        prefect_test_harness(server_startup_timeout=120),
    ):
        yield


@pytest.fixture(scope="session")
def server_environment(prefect_server) -> dict[str, str]:
    """The environment in which a child process talks to the session's server."""
    from prefect.settings import PREFECT_API_URL

    return {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value(), "DO_NOT_TRACK": "1"}


@pytest.fixture
def write_dataset() -> Callable[..., Path]:
    """Return a function that writes the four files into a folder."""
    return _write_dataset


def _write_dataset(folder: Path, train: int = 60, test: int = 20, side: int = 8) -> Path:
    """Write random images of `side` x `side` and their labels; the train images gzipped."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        pixels = rng.integers(0, 256, (count, side * side))
        text = "".join(",".join(map(str, row)) + "\n" for row in pixels.tolist())
        if split == "train":
            (folder / "train_data.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        else:
            (folder / "test_data.csv").write_text(text)
        name = "train_lables.csv" if split == "train" else "test_labels.csv"
        (folder / name).write_text("".join(f"{row % 10}\n" for row in range(count)))
    return folder


@pytest.fixture
def run_flow(server_environment) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `python flows/<name>.py …` as a user does."""

    def run(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, HOME / "flows" / f"{name}.py", *map(str, arguments)],
            env={**server_environment, **environment},
            cwd=HOME.parent,
            capture_output=True,
            text=True,
            timeout=280,
        )

    return run
