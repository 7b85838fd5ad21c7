"""Run one of Prefect's commands that ends with the process that started it.

`python -m flows.ops.attached prefect server start` runs `prefect server start`. Its standard input
is the reading end of a pipe; nothing is ever written to it. When the last process that holds the
writing end has gone, in whatever way (SIGKILL leaves no chance to tell anybody), the pipe is
closed: then this process ends its own child processes, and itself. This works wherever there are
pipes; nobody has to look for processes, and so nobody ends one that belongs to somebody else.
"""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
import time

GRACE_PERIOD = 10
"""Seconds that child processes, and then this one, each have to exit by themselves."""


def main() -> None:
    """Run the module that the first argument names with the others as its arguments."""
    attach()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def attach() -> None:
    """From now on, end this process when its standard input is closed."""
    threading.Thread(target=_end_with_pipe, name="attached", daemon=True).start()


def _end_with_pipe() -> None:
    """Wait until the pipe is closed, then end everything below this process and itself."""
    while os.read(0, 1):
        pass
    try:
        _end_children()  # first: a worker that is told to stop waits for its runs instead
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_PERIOD)
        os.kill(os.getpid(), signal.SIGKILL)


def _end_children() -> None:
    """Terminate all child processes and wait until they have exited, or the grace period."""
    deadline = time.monotonic() + GRACE_PERIOD
    told: set[int] = set()
    while (children := _children()) and time.monotonic() < deadline:
        for child in children - told:  # once: a second signal would cut short how they end
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        told |= children
        time.sleep(0.2)


def _children() -> set[int]:
    """Return the child processes of this one, of which only it can have any."""
    listing = subprocess.Popen(
        ["ps", "-eo", "pid=,ppid="],  # noqa: S607  # wherever the system keeps it
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    rows = [line.split() for line in listing.communicate()[0].splitlines()]
    here = str(os.getpid())
    return {int(pid) for pid, parent in rows if parent == here} - {listing.pid}


if __name__ == "__main__":
    main()
