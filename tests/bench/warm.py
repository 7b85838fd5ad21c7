"""What a run costs in which everything is cached, beside a Prefect flow that does nothing."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench.tools import HOME, Table, interleaved, timed

EMPTY = "from prefect import flow\n\n\n@flow\ndef empty():\n    return 1\n\n\nempty()\n"
ROUNDS = 5


def warm_run(data: Path, rounds: int = ROUNDS) -> Table:
    """Measure the cached main job on `data`, with a temporary server and with a running one."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "empty.py").write_text(EMPTY)
        job = [sys.executable, HOME / "flows" / "full.py", "--data", data,
               "--artifacts", folder / "artifacts", "--training.epochs", 1]  # fmt: skip
        alone = {
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_SERVER_API_PORT": str(_free_port()),  # where no server is found
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        timed(job, alone)
        with _server(alone) as url:
            served = {**alone, "PREFECT_API_URL": url}
            python, empty = sys.executable, folder / "empty.py"
            found = interleaved(
                {
                    "import Prefect": ([python, "-c", "from prefect import flow"], alone),
                    "import the main job": ([python, "-c", "import flows.full"], alone),
                    "empty flow, temporary server": ([python, empty], alone),
                    "cached run, temporary server": (job, alone),
                    "empty flow, `make server`": ([python, empty], served),
                    "cached run, `make server`": (job, served),
                },
                rounds,
            )
    rows = []
    for what, used in found.items():
        base = found.get(what.replace("cached run", "empty flow"), used)
        more = ["", ""]
        if base is not used:
            more = [f"{used.wall - base.wall:+.2f}", f"{used.wall / base.wall:.2f}"]
        rows.append([what, f"{used.wall:.2f}", f"{used.cpu:.2f}", *more])
    return Table(
        "A run in which everything is cached",
        f"Whole processes, median of {rounds} rounds, taken in turns.",
        ["what", "seconds", "CPU seconds", "more than the empty flow (s)", "ratio"],
        rows,
    )


@contextlib.contextmanager
def _server(environment: Mapping[str, str]) -> Iterator[str]:
    """Have a server run; yield the address of its API."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
        env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(240):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health"):
                break
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
