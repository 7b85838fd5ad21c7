"""What a stage costs: the CPU seconds of its work, also of one that was stopped and resumed."""

import contextlib
import math
import time
from pathlib import Path

from .handles import Report, write_atomically

SPENT = "cpu-seconds.txt"
"""Among the files from which a stage resumes: what the work so far has cost."""


class Meter:
    """Measures CPU seconds of this process from when a stage first says how far it is.

    What comes before, such as loading libraries, a process does once, whichever stage comes first;
    of a stage that never says how far it is, everything counts. With each line that says how far
    it is, the sum is kept beside the files from which the stage resumes; what is repeated after a
    kill is not counted twice.
    """

    def __init__(self, report: Report | None) -> None:
        """Pass everything that a stage reports on to `report`."""
        self._report = report or (lambda line, share: None)
        self._since = time.process_time()
        self._began = False
        self._earlier = 0.0
        self._scratch: Path | None = None

    def resume(self, scratch: Path) -> None:
        """Go on from what is noted among the files that an interrupted stage has left."""
        self._scratch = scratch
        self._since = time.process_time()
        with contextlib.suppress(OSError, ValueError):  # it is new, or somebody edited the note
            earlier = float((scratch / SPENT).read_text())
            self._earlier = earlier if math.isfinite(earlier) and earlier > 0 else 0.0

    def __call__(self, line: str, share: float | None) -> None:
        """Take note of what a stage reports."""
        if share is not None and not self._began:
            self._since, self._began = time.process_time(), True
        self._report(line, share)
        kept = self._scratch
        if line and share is not None and kept is not None and kept.is_dir():
            write_atomically(kept / SPENT, f"{self.seconds}\n".encode())

    @property
    def seconds(self) -> float:
        """The CPU seconds so far, in all threads."""
        return round(self._earlier + time.process_time() - self._since, 3)
