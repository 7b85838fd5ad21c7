"""What a machine's owner sets, by environment variables; no result depends on it."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from autoencoders.errors import PipelineError
from tasks.locks import shared_lock
from tasks.logs import run_logger

TRAININGS = "AUTOENCODERS_TRAININGS"
"""Environment variable: how many trainings this machine does at the same time; by default 1."""
KEEP_RUNS = "AUTOENCODERS_KEEP_RUNS"
"""Environment variable: how many finished runs stay in an artifacts folder; by default all."""


def setting(name: str) -> int | None:
    """Return the whole number, 1 or more, that an environment variable is set to, if it is.

    Raises:
        PipelineError: If it is anything else.
    """
    text = os.environ.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise PipelineError(f"{name}={text}: expected a whole number, 1 or more. Set it so, or not "
                            "at all.")  # fmt: skip
    return int(text)


@contextlib.contextmanager
def training_turn() -> Iterator[None]:
    """Wait until this machine has a training to spare, and take it until the block ends.

    It holds between all processes of all users, whatever artifacts folder they write to; a killed
    process gives its turn back.
    """
    count = setting(TRAININGS) or 1
    places = [Path(tempfile.gettempdir()) / f"autoencoders-training-{n}" for n in range(count)]
    next_notice = 0.0
    while (held := _first_free(places)) is None:
        if time.monotonic() >= next_notice:
            run_logger().info(
                "This machine is training already; waiting for a turn (%s=%s).", TRAININGS, count
            )
            next_notice = time.monotonic() + 600
        time.sleep(0.5)
    try:
        yield
    finally:
        os.close(held)


def _first_free(places: list[Path]) -> int | None:
    for place in places:
        if (held := shared_lock(place)) is not None:
            return held
    return None
