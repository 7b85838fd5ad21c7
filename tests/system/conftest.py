"""Fixtures of the tests of whole systems."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.support import free_port

PROGRAMS = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.get_exec_path())]


def program(name: str) -> Path | None:
    """Find a program of PostgreSQL; Debian does not put its server into the path."""
    return next((folder / name for folder in PROGRAMS if (folder / name).exists()), None)


@pytest.fixture
def postgres():
    """Start PostgreSQL with an empty database and the user postgres; return its port."""
    if program("initdb") is None:
        pytest.skip("PostgreSQL is not installed")
    # It refuses to run as root, and must be able to reach its folder
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", free_port()
    subprocess.run(
        [program("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"],
        cwd=folder, check=True, capture_output=True, **user,
    )  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [program("postgres"), "-D", data, "-k", folder, "-p", str(port),
             "-c", "listen_addresses=127.0.0.1"],
            cwd=folder, stdout=log, stderr=log, **user,
        )  # fmt: skip
    try:
        for _ in range(120):
            if "ready to accept connections" in (folder / "log").read_text():
                break
            time.sleep(0.25)
        else:
            raise AssertionError((folder / "log").read_text())
        yield port
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)
