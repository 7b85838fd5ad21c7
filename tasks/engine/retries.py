"""What is worth another try: reading from a disk or a network that may answer again in seconds.

Wrong data, a full disk or a stage that failed by itself would only fail again.
"""

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .logs import run_logger

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


def is_transient(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, is one of the system that may go away."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in TRANSIENT:
            return True
        error = error.__cause__
    return False


def retry_condition(task: Any, task_run: Any, state: Any) -> bool:
    """Return whether Prefect should retry a failed task run."""
    return is_transient(state.result(raise_on_failure=False))


def with_retries(read: Callable[[Path], T], path: Path) -> T:
    """Call `read(path)` again, with the same pauses as a task, as long as the error is transient.

    Raises:
        Exception: Whatever `read` raised last.
    """
    for delay in DELAYS:
        try:
            return read(path)
        except OSError as error:
            if not is_transient(error):
                raise
            run_logger().warning("%s: %s; trying again in %g s.", path, error.strerror, delay)
        time.sleep(delay)
    return read(path)
