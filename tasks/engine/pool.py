"""Steps in processes of their own, several at a time: libraries of one process get in each other's
way, and do not give back its memory."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.task_runners import ProcessPoolTaskRunner

from .refusals import Refusals, current_refusals, refusing

Call = tuple[Task[..., Any], dict[str, Any]]
"""A task, and its arguments by name."""


def run_apart(calls: Sequence[Call], most: int, *, quiet: bool) -> list[State]:
    """Run tasks of the flow under way, each in a process of its own, `most` at a time.

    If this process ends or is stopped, however that happens, so do the others.

    Args:
        calls: What is run.
        most: How many at a time.
        quiet: Whether the tasks' log is for Prefect's pages alone, and not for the terminal.

    Returns:
        How each ended, in order.
    """
    ended, alive = get_context("spawn").Pipe(duplex=False)

    def run(call: Call) -> State:
        task, parameters = call
        settings = (ended, current_refusals(), quiet)
        with _Runner(1, initializer=_attach, initargs=settings) as runner:
            future = runner.submit(task, parameters)
            future.wait()
            return future.state

    with ended, ThreadPoolExecutor(most) as threads:
        waiting = [threads.submit(copy_context().run, run, call) for call in calls]
        try:
            return [one.result() for one in waiting]
        finally:
            for one in waiting:
                one.cancel()
            alive.close()  # whatever still runs ends


class _Runner(ProcessPoolTaskRunner):
    """Passes logs and events on to the server of the run; the thread of Prefect's own that does so
    knows no settings of the run, and would start a server for itself."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._settings = copy_context()

    def _forward_subprocess_messages(self) -> None:
        self._settings.run(super()._forward_subprocess_messages)


def _attach(ended: Connection, refusals: Refusals, quiet: bool) -> None:
    """Set a new process up: it ends with the other end of the pipe, and words errors alike."""
    refusing(refusals)
    if quiet:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
    threading.Thread(target=_end_with, args=(ended,), daemon=True).start()


def _end_with(pipe: Connection) -> None:
    pipe.poll(None)  # nothing is ever sent: this returns when the other end is closed
    os._exit(1)
