"""A small team's server: PostgreSQL as Prefect's database, two workers, many runs at once."""

import json
import subprocess
import sys

import pytest

from tests.support import STEPS, Served, contents

RUNS = 10


@pytest.mark.slow
def test_ten_runs_of_two_workers_compute_each_stage_once(postgres, tmp_path):
    """All at once, on the same data: all complete, with the same bytes."""
    database = f"postgresql+asyncpg://postgres@127.0.0.1:{postgres}/postgres"
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
