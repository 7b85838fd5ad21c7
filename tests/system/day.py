"""A day in small: a schedule, and kills of worker and server at random: `make day MINUTES=30`.

Every 20 seconds a run is due. Now and then the worker, the server, the process of a run or
`make server` itself is killed. Afterwards no run may be lost or doubled, the memory of server and
worker must not have grown, and each error in the log must be one that is explained.
"""

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from tests.support import Served, descendants

INTERVAL = 20
"""Seconds between two scheduled runs."""
PARTS = {"server": "prefect server start", "worker": "prefect worker start"}
VICTIMS = ("worker", "server", "run", "make server")
OF_KILLS = (
    r"Crash detected! Execution was aborted",
    r"Crashed\('Execution was aborted",
    r"ended as Crashed",
    r"[Pp]rocess (?:for flow run .* )?exited with status code:? -?\d+",
    r"Reported flow run .* as crashed",
    r"ConnectError|ConnectTimeout|ReadError|RemoteProtocolError|All connection attempts failed",
    r"Service 'EventsWorker' failed to process item",
    r"ConnectionClosedError",  # of the worker, which listens for cancellations
)
"""What the log says after a kill, and only then."""
OF_LOAD = (r"database is locked", r"503 Service Unavailable")
"""What it says of SQLite under load at any time; operations.md explains it."""
AFTER = 300
"""Seconds after a kill within which its errors come; an automation waits four minutes."""


class Day:
    """One server whose parts are killed, and what was seen of it."""

    def __init__(self, folder: Path) -> None:
        """Start everything, and switch the schedule on."""
        self.served = Served(folder, every=INTERVAL)
        self.kills: Counter[str] = Counter()
        self.killed: list[float] = []
        self.memory: dict[str, list[tuple[int, float]]] = {name: [] for name in PARTS}
        self.random = random.Random(0)
        self.switch("resume")

    def switch(self, verb: str) -> None:
        """Switch the schedule on or off."""
        said = self.served.project.run_module("flows.ops.server", "deploy")
        [number] = re.findall(r"prefect deployment schedule \w+ retrain/nightly (\S+)", said)
        self.served.prefect("deployment", "schedule", verb, "retrain/nightly", number)

    def watch(self) -> None:
        """Note how much memory server and worker use, in MB, by the process that uses it."""
        for number, command in descendants(self.served.process.pid).items():
            for name, words in PARTS.items():
                if words in command:
                    shown = subprocess.run(
                        ["ps", "-o", "rss=", "-p", str(number)], capture_output=True, text=True
                    ).stdout
                    self.memory[name] += [(number, int(shown) / 1024)] if shown.strip() else []

    def kill(self) -> None:
        """Kill something; a killed `make server` is started again, as its user would."""
        victim = self.random.choice(VICTIMS)
        below = descendants(self.served.process.pid)
        if victim == "run" and not any("prefect.engine" in command for command in below.values()):
            return
        self.kills[victim] += 1
        self.killed.append(time.time())
        if victim == "make server":
            self.served.process.send_signal(signal.SIGKILL)
            self.served.process.wait()
            self.served.started()
        else:
            self.served.kill(PARTS.get(victim, "prefect.engine"))

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs of the schedule that were due."""
        found: list[dict[str, Any]] = []
        url = f"http://127.0.0.1:{self.served.port}/api/flow_runs/filter"
        while True:
            page = httpx.post(
                url, json={"offset": len(found), "sort": "ID_DESC"}, timeout=60, trust_env=False
            ).json()
            found += page
            if not page:
                return [run for run in found if run["auto_scheduled"]]


def day(folder: Path, minutes: float) -> str:
    """Let it pass; return its figures.

    Raises:
        AssertionError: If a run is lost or doubled, memory grows, or an error is unexplained.
    """
    day = Day(folder)
    try:
        ended = pass_time(day, minutes)
        day.switch("pause")
        day.served.wait(lambda: not unfinished(day.runs(), ended), 1800)
        runs = [run for run in day.runs() if due(run) < ended]
    finally:
        day.served.stop()
    kills = ", ".join(f"{count} of {name}" for name, count in sorted(day.kills.items()))
    report = [
        check_runs(runs, ended),
        check_memory(day.memory),
        check_log(day.served.output(), day.killed),
    ]
    return "\n".join([f"{minutes:g} minutes; kills: {kills}", *report])


def pass_time(day: Day, minutes: float) -> float:
    """Watch, and kill something every 20 to 100 seconds; return when it ended."""
    began, next_kill = time.time(), time.time() + 30
    while time.time() < began + 60 * minutes:
        time.sleep(5)
        day.watch()
        if time.time() > next_kill:
            day.kill()
            next_kill = time.time() + day.random.uniform(20, 100)
    return time.time()


def due(run: dict[str, Any]) -> float:
    """Return when a run was due."""
    return datetime.fromisoformat(run["expected_start_time"]).timestamp()


def unfinished(runs: list[dict[str, Any]], ended: float) -> list[dict[str, Any]]:
    """Return the runs that were due and have not ended."""
    final = ("COMPLETED", "CRASHED", "FAILED", "CANCELLED")
    return [run for run in runs if run["state_type"] not in final and due(run) < ended]


def check_runs(runs: list[dict[str, Any]], ended: float) -> str:
    """Check that there is one run for every time that one was due, and how it ended."""
    times = sorted(round(due(run)) for run in runs)
    gaps = {second - first for first, second in itertools.pairwise(times)}
    ends = Counter(run["state_type"] for run in runs)
    assert gaps == {INTERVAL}, f"lost or doubled: {gaps}"
    assert ended - times[-1] < 2 * INTERVAL, "the last ones are lost"
    assert set(ends) <= {"COMPLETED", "CRASHED"}, ends
    assert all(run["run_count"] <= 1 for run in runs), "a run ran twice"
    assert all(run["state"]["message"] for run in runs if run["state_type"] == "CRASHED")
    return f"{len(runs)} runs due, one every {INTERVAL} s: " + ", ".join(
        f"{count} {state.lower()}" for state, count in sorted(ends.items())
    )


def check_memory(memory: dict[str, list[tuple[int, float]]]) -> str:
    """Check the process of each part that lived longest: its second half against its first."""
    lines = []
    for name, samples in memory.items():
        longest, _ = Counter(number for number, _ in samples).most_common(1)[0]
        used = [size for number, size in samples if number == longest][6:]  # once it has started
        first, second = max(used[: len(used) // 2]), max(used[len(used) // 2 :])
        lines.append(f"{name}: {first:.0f} MB, then {second:.0f} MB over {5 * len(used)} s")
        assert second < 1.1 * first + 10, lines[-1]
    return "memory of " + "; ".join(lines)


def check_log(log: str, killed: list[float]) -> str:
    """Check that a kill, or SQLite, explains every error; a traceback belongs to its line."""
    entries = re.split(r"^(?=\d\d:\d\d:\d\d\.\d+ \| )", log, flags=re.MULTILINE)
    errors = [entry for entry in entries if re.search(r"\| (ERROR|CRITICAL) |Traceback", entry)]
    found: Counter[str] = Counter()
    for entry in errors:
        after_kill = any(since(kill, entry) <= AFTER for kill in killed)
        possible = (*OF_LOAD, *(OF_KILLS if after_kill else ()))
        reasons = [reason for reason in possible if re.search(reason, entry)]
        assert reasons, f"unexplained:\n{entry}"
        found[reasons[0]] += 1
    listed = "".join(f"\n  {count} {reason}" for reason, count in found.most_common())
    return f"{len(errors)} errors in the log, each explained:{listed}"


def since(kill: float, entry: str) -> float:
    """Return how many seconds after a kill an entry of the log was written; it tells no day."""
    midnight = datetime.fromtimestamp(kill).replace(hour=0, minute=0, second=0, microsecond=0)
    written = time.strptime(entry[:8], "%H:%M:%S")
    seconds = 3600 * written.tm_hour + 60 * written.tm_min + written.tm_sec
    return (midnight.timestamp() + seconds + 1 - kill) % (24 * 3600)


def main() -> None:
    """Let as many minutes pass as the first argument says, 30 by default."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    os.environ["AUTOENCODERS_TRAININGS"] = "64"  # others on this machine do not hold it up
    folder = Path(tempfile.mkdtemp(prefix="day-"))
    print(f"Everything is in {folder}; its log is server.log.", flush=True)
    print(day(folder, minutes))


if __name__ == "__main__":
    main()
