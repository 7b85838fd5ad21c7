"""Kill the pipeline again and again at random moments: `make soak`, or `make soak KILLS=20`.

Every kill is followed by a new run on what the last one left. Whenever a run finishes, its results
must be the bytes of an uninterrupted run, and the next one starts with an empty folder.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from tests.support import contents, published_is_whole, start, write_dataset


def soak(folder: Path, data: Path, environment: dict[str, str], kills: int) -> int:
    """Kill `kills` runs; return how many runs finished between the kills.

    Raises:
        AssertionError: If a partial file is seen, a lock is stuck, or the bytes differ.
    """
    began = time.monotonic()
    straight = start(folder / "straight", data, environment)
    output = straight.communicate(timeout=300)[0]
    assert straight.returncode == 0, output
    length = time.monotonic() - began
    expected = contents(folder / "straight" / "latest")

    rng, killed, ended = random.Random(0), 0, 0
    artifacts = folder / "killed"
    while killed < kills or not ended:
        process = start(artifacts, data, environment)
        try:
            # Longer than a run takes, so that some finish
            limit = rng.uniform(1, 1.2 * length) if killed < kills else 300
            output = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            assert killed < kills, "a run does not end: a stuck lock?"
            process.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            process.communicate(timeout=60)
            killed += 1
            assert published_is_whole(artifacts)
            continue
        assert process.returncode == 0, output
        assert contents(artifacts / "latest") == expected
        assert published_is_whole(artifacts)
        ended += 1
        if killed < kills:
            shutil.rmtree(artifacts)
    return ended


def main() -> None:
    """Kill as many runs as the first argument says, 100 by default."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        data = write_dataset(folder / "data", side=12)
        with (
            temporary_settings({PREFECT_SERVER_ANALYTICS_ENABLED: False}),  # it needs a network
            prefect_test_harness(server_startup_timeout=120),
        ):
            environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
            ended = soak(folder, data, environment, kills)
    print(f"{kills} kills, {ended} runs finished: 0 differences, 0 partial files, "
          "0 stuck locks")  # fmt: skip


if __name__ == "__main__":
    main()
