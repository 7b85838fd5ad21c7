"""What a machine's owner sets by environment variables; no result depends on it."""

import os
import tempfile
from pathlib import Path

from autoencoders.errors import PipelineError
from flows.advice import USER_ERRORS
from tasks.engine.limits import Limit
from tasks.engine.runs import Operations

TRAININGS = "AUTOENCODERS_TRAININGS"
"""Environment variable: how many trainings run on this machine at the same time; default 1."""
KEEP_RUNS = "AUTOENCODERS_KEEP_RUNS"
"""Environment variable: how many finished runs stay in an artifacts folder; by default all."""


def operations() -> Operations:
    """Return how runs behave on this machine.

    Raises:
        PipelineError: If a variable is set to anything but a positive whole number.
    """
    training = Limit(
        slots=_positive(TRAININGS) or 1,
        lock=Path(tempfile.gettempdir()) / "autoencoders-training",  # shared by all users
    )
    return Operations(
        limits={"training": training},
        keep_runs=_positive(KEEP_RUNS),
        expected_errors=USER_ERRORS,
    )


def _positive(name: str) -> int | None:
    text = os.environ.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise PipelineError(f"{name}={text}: expected a whole number, 1 or more.",
                            "Correct it, or unset it.")  # fmt: skip
    return int(text)
