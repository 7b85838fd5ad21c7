"""What the benchmarks share: commands timed as whole processes, and tables."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
Figures = tuple[float, float, float]
"""CPU seconds, seconds, and MiB of resident memory at most."""


@dataclass(frozen=True)
class Usage:
    """What a process took, together with those it waited for."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, of all cores together."""
    peak: float
    """MiB of resident memory at most."""
    said: str = ""
    """What it wrote."""


@dataclass(frozen=True)
class Table:
    """A table of the benchmarks."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return it as Markdown: the first column to the left, the others to the right."""
        lines = [f"## {self.title}", "", self.note, "", "| " + " | ".join(self.header) + " |",
                 "| --- |" + " ---: |" * (len(self.header) - 1)]  # fmt: skip
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


def peak_memory() -> float:
    """Return the resident memory of this process at most, in MiB; NaN where it is not told."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def timed(command: Sequence[object], environment: Mapping[str, str]) -> Usage:
    """Run a command to its end.

    Raises:
        SystemExit: If it fails, with what it said.
    """
    begun = time.monotonic()
    process = subprocess.Popen(
        list(map(str, command)), env={**os.environ, **environment}, cwd=HOME,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(said)
    return Usage(
        time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said
    )


def interleaved(
    commands: Mapping[str, tuple[Sequence[object], Mapping[str, str]]], rounds: int
) -> dict[str, Usage]:
    """Run every command in turn, `rounds` times over; return the median of each figure."""
    found: dict[str, list[Usage]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, environment) in commands.items():
            found[name].append(timed(command, environment))
    return {
        name: Usage(*(statistics.median(getattr(one, field) for one in usages)
                      for field in ("wall", "cpu", "peak")))
        for name, usages in found.items()
    }  # fmt: skip
