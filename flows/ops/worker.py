"""A run that ends with the worker that started it."""

import functools
import os
import select
import signal
import stat
import threading

STARTED_BY_WORKER = "PREFECT__FLOW_RUN_ID"
"""Environment variable that Prefect's workers set for the process of a run."""


@functools.cache
def end_with_worker() -> None:
    """From now on, end this process when its worker dies, if one has started it.

    Nobody could cancel such a run any more, and it would outlive the server that is stopped. The
    worker reads the output of a run through a pipe, whose end tells that it is gone; to rely on the
    error at the next line of the log is not enough: in another thread it goes unnoticed.
    """
    if STARTED_BY_WORKER in os.environ and stat.S_ISFIFO(os.fstat(1).st_mode):
        output = os.dup(1)  # Rich exchanges the original one at its first error
        threading.Thread(target=_end_with, args=(output,), name="worker", daemon=True).start()


def _end_with(output: int) -> None:
    reader = select.poll()
    reader.register(output, 0)  # errors are always told: here, that nobody reads any more
    reader.poll()
    os.kill(os.getpid(), signal.SIGTERM)  # as Prefect ends a run: it says so to the server
