"""What a user can do, in the words of the command line.

The engine's errors state the problem and a general advice; here is a better one where a command or
an option helps.
"""

from autoencoders.errors import PipelineError
from tasks.engine.errors import (
    DiskFullError,
    EngineError,
    NotWritableError,
    PlaceError,
)

RESUME = (
    "Nothing is lost: fix the cause and run the same command again. It resumes from the last "
    "finished step; a training resumes from its last finished epoch."
)
USER_ERRORS = (PipelineError, EngineError)
"""Everything that a user can fix: shown as one message, without a traceback."""
COMMANDS: dict[type[Exception], str] = {
    DiskFullError: (
        "Free some space (`autoencoders gc --keep-last 3` may help), or give another folder with "
        "--artifacts, and run again; finished steps are kept."
    ),
    NotWritableError: "Make it writable, or give another folder with --artifacts, and run again.",
    PlaceError: (
        "Remove what is in the way, or give another folder with --artifacts, and run again."
    ),
}


def on_the_command_line(error: PipelineError | EngineError) -> str:
    """Return the message of an error, with advice that names commands and options."""
    return f"{error.problem} {COMMANDS.get(type(error), error.advice)}".strip()
