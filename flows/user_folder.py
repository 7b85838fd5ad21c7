"""The system's errors about a folder of the user's own, in words that name no artifacts."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from autoencoders.errors import PipelineError
from tasks.engine.errors import StoreError
from tasks.engine.files import friendly_os_errors


@contextlib.contextmanager
def user_folder(folder: Path) -> Iterator[None]:
    """Say what to do about errors of the system below a folder that is no store.

    Raises:
        PipelineError: Instead of the corresponding OSError.
    """
    try:
        yield
    except OSError as error:
        try:
            with friendly_os_errors(folder.absolute()):
                raise
        except StoreError as friendly:
            raise PipelineError(friendly.problem, friendly.advice) from error
