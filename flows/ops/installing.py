"""Install what a lock file lists, and say all the while what is being done.

`python flows/ops/installing.py LOCK PIP-ARGUMENT ...` runs pip with these arguments. pip is silent
for a minute where it unpacks large libraries, so a line every two seconds says how far it is. This
needs nothing that is installed.
"""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

RHYTHM = 2
"""Seconds between two lines about what takes long."""
LARGE = 20
"""Megabytes from which on a download is named."""


class Progress:
    """How far pip is, as its lines say."""

    def __init__(self, packages: int) -> None:
        """Expect so many packages, at most: some are for other systems."""
        self._packages = packages
        self._started = time.monotonic()
        self._seen = 0
        self._what = "looking up packages"
        self._ended = threading.Event()

    def hear(self, line: str) -> None:
        """Take a line of pip's; show it where it is worth it."""
        large = re.search(r"Downloading (\S+?)-\d\S* \(([\d.]+) MB\)", line)
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            self._seen += 1
        if large and float(large[2]) >= LARGE:
            self._say(f"downloading {large[1]}, {large[2]} MB")
        elif line.startswith("Installing collected packages"):
            self._say("unpacking and installing them (3 GB)")

    def keep_talking(self) -> None:
        """Say every few seconds what takes long, until `end`."""
        while not self._ended.wait(RHYTHM):
            self._say(self._what)

    def end(self) -> None:
        """Say nothing more."""
        self._ended.set()

    def _say(self, what: str) -> None:
        self._what = what
        seconds = time.monotonic() - self._started
        print(f"  {seconds:4.0f} s, {self._seen} of up to {self._packages} packages: {what}",
              flush=True)  # fmt: skip


def main() -> int:
    """Run pip; return its exit code."""
    lock, *arguments = sys.argv[1:]
    packages = len(re.findall(r"^[\w.-]+==", Path(lock).read_text("utf-8"), re.MULTILINE))
    print("Installing the locked packages. The first time this downloads about 1 GB, most of it "
          "TensorFlow (3 GB on disk).", flush=True)  # fmt: skip
    progress = Progress(packages)
    talking = threading.Thread(target=progress.keep_talking, daemon=True)
    talking.start()
    command = [sys.executable, "-m", "pip", "install", "--progress-bar", "off", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pip:  # noqa: S603
        assert pip.stdout is not None
        for line in pip.stdout:
            progress.hear(line.strip())
    progress.end()
    talking.join()
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main())
