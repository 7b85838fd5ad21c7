"""A small team's server: PostgreSQL as Prefect's database, two workers, many runs at once."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support import STEPS, Served, contents, free_port

PROGRAMS = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.get_exec_path())]
RUNS = 10


def program(name: str) -> Path | None:
    """Find a program of PostgreSQL; Debian does not put its server into the path."""
    return next((folder / name for folder in PROGRAMS if (folder / name).exists()), None)


@pytest.fixture
def database():
    """Start PostgreSQL with an empty database; return its address for SQLAlchemy."""
    # It refuses to run as root, and must be able to reach its folder
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", free_port()
    subprocess.run(
        [program("initdb"), "-D", data, "-U", "prefect", "--auth=trust", "--no-sync"],
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
        yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed")
def test_ten_runs_of_two_workers_compute_each_stage_once(database, tmp_path):
    """All at once, on the same data: all complete, with the same bytes."""
    served = Served(tmp_path, PREFECT_SERVER_DATABASE_CONNECTION_URL=database)
    with served.log.open("a") as log_file:
        second = subprocess.Popen(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local-process",
             "--limit", "5"],
            env=served.environment, cwd=served.project.folder, stdout=log_file, stderr=log_file,
        )  # fmt: skip
    artifacts = tmp_path / "artifacts"
    try:
        served.wait(lambda: served.output().count("started!") == 2, 60)
        for _ in range(RUNS):
            done = served.deployed("quick", artifacts)
            assert done.returncode == 0, done.stdout + done.stderr
        served.wait(lambda: served.states().count("COMPLETED") == RUNS, 400)
    finally:
        second.terminate()
        second.wait(60)
        served.stop()

    runs = sorted((artifacts / "runs").iterdir())
    assert len(runs) == RUNS
    assert [contents(run) for run in runs] == [contents(runs[0])] * RUNS
    records = [json.loads((run / "run.json").read_text()) for run in runs]
    for number, step in enumerate(STEPS):
        found = sorted(record["steps"][number]["state"] for record in records)
        assert found == ["Cached"] * (RUNS - 1) + ["Completed"], step
    log = served.output()
    assert "database is locked" not in log
    assert "ERROR" not in log
    workers = {line.split("'")[1] for line in log.splitlines() if "submitting flow run" in line}
    assert len(workers) == 2
