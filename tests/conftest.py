"""What several test modules need: small real files, and a real Prefect server for the session."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prefect.settings import PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

# Where the tests run in the background of a script, Ctrl-C is ignored, and by all children too
signal.signal(signal.SIGINT, signal.default_int_handler)

HOME = Path(__file__).resolve().parents[1]
SHARED = HOME.parent / "shared" / "notmnist"


class Project:
    """A copy of our packages that a test may edit, with `data/` and `artifacts/` of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Use what is in `folder`."""
        self.folder = folder
        self.environment = environment

    @classmethod
    def made(cls, folder: Path, environment: dict[str, str]) -> "Project":
        """Copy the packages into `folder` and write small data."""
        for package in ("flows", "tasks", "autoencoders"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(HOME / package, folder / package, ignore=ignored)
        _write_dataset(folder / "data", side=12)
        return cls(folder, environment)

    def copied(self, folder: Path) -> "Project":
        """Copy everything, artifacts too, to another place."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Project(folder, self.environment)

    def edit(self, path: str, old: str, new: str) -> Callable[[], object]:
        """Replace a text in a file; return what undoes it."""
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        return lambda: file.write_text(text)

    def run(self, script: str, *arguments: object, code: int = 0) -> str:
        """Run a script of `flows/`; return what it said, on standard error if it failed."""
        done = subprocess.run(
            [sys.executable, self.folder / "flows" / script, *map(str, arguments)],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def full(self, *options: object) -> None:
        """Run the main job on this project's data."""
        self.run("full.py", "--data", self.folder / "data", *options)

    def planned(self, *options: object) -> dict[str, dict[str, Any]]:
        """Return what `plan` says of every step."""
        shown = self.run("cli.py", "plan", "--data", self.folder / "data", *options, "--json")
        return {row["step"]: row for row in json.loads(shown)}

    def explained(self, step: str, *options: object) -> list[dict[str, Any]]:
        """Return what `explain` says of a step or stage."""
        found: list[dict[str, Any]] = json.loads(
            self.run("cli.py", "explain", step, *options, "--json")
        )
        return found


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
