"""What a machine's owner sets by environment variables; no result depends on it."""

import functools
import os
from dataclasses import replace
from pathlib import Path

from autoencoders.errors import PipelineError
from flows.ops.registry import keep_up, registry_of_machine
from flows.ops.worker import end_with_worker
from tasks.engine.limits import Limit
from tasks.engine.runs import Operations

TRAININGS = "AUTOENCODERS_TRAININGS"
"""Environment variable: how many trainings run at the same time; default 1."""
SLOTS = "AUTOENCODERS_SLOTS"
"""Environment variable: the folder in which trainings take their turns. Runs that name the same one
wait for each other; by default, those do that share an artifacts folder."""
KEEP_RUNS = "AUTOENCODERS_KEEP_RUNS"
"""Environment variable: how many finished runs stay in an artifacts folder; by default all."""


def operations() -> Operations:
    """Return how runs behave on this machine; one that a worker has started ends with it.

    Raises:
        PipelineError: If a variable has a value that it cannot have.
    """
    end_with_worker()
    slots, folder = _positive(TRAININGS) or 1, _folder(SLOTS)
    training = Limit(
        slots,
        folder,
        f"To train at the same time, set {TRAININGS} to {slots + 1} or more"
        + (f", or unset {SLOTS}." if folder else ", or use another artifacts folder."),
    )
    found = Operations(limits={"training": training}, keep_runs=_positive(KEEP_RUNS))
    if registry := registry_of_machine():
        return replace(found, mirror=functools.partial(keep_up, registry))
    return found


def _folder(name: str) -> Path | None:
    text = os.environ.get(name, "")
    if text and not Path(text).is_dir():
        raise PipelineError(
            f"{name}={text}: expected a folder.", "Create it, or unset the variable."
        )
    return Path(text) if text else None


def _positive(name: str) -> int | None:
    text = os.environ.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise PipelineError(f"{name}={text}: expected a whole number, 1 or more.",
                            "Correct it, or unset it.")  # fmt: skip
    return int(text)
