"""What is worth another try: reading from a disk or a network that may answer again in seconds.

Wrong data, a full disk or a training that diverged would only fail again.
"""

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tasks.logs import run_logger

T = TypeVar("T")
DELAYS = [2.0, 10.0]
"""Seconds before each further try."""
TRANSIENT = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET,
        errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH,
    }
)  # fmt: skip
"""What the system says of a disk or a network file system that does not answer."""


def may_pass(error: BaseException | None) -> bool:
    """Tell whether such an error of the system is behind `error`."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in TRANSIENT:
            return True
        error = error.__cause__
    return False


def retry_condition(task: Any, task_run: Any, state: Any) -> bool:
    """Tell Prefect whether a failed task run gets another try."""
    return may_pass(state.result(raise_on_failure=False))


def patiently(read: Callable[[Path], T], path: Path) -> T:
    """Do outside a task what a task does: try again as long as the error may pass.

    Raises:
        Exception: Whatever `read` raised at last.
    """
    for delay in DELAYS:
        try:
            return read(path)
        except OSError as error:
            if not may_pass(error):
                raise
            run_logger().warning("%s: %s; trying again in %g s.", path, error.strerror, delay)
        time.sleep(delay)
    return read(path)
