"""The engine's errors: a problem, and what the user can do about it.

The advice names no command: whoever shows an error may know a better one for its type.
"""


class EngineError(Exception):
    """Something that the user of a pipeline can fix."""

    default_advice = ""

    def __init__(self, problem: str, advice: str | None = None) -> None:
        """State the problem, and the advice if it differs from that of the class."""
        super().__init__(problem, advice)
        self.problem = problem
        self.advice = self.default_advice if advice is None else advice

    def __str__(self) -> str:
        """Return the problem and the advice."""
        return f"{self.problem} {self.advice}".strip()


class StoreError(EngineError):
    """The store cannot be used as asked."""


class DiskFullError(StoreError):
    """There is no space left."""

    default_advice = (
        "Free some space, or use another folder, and run again; finished steps are kept."
    )


class NotWritableError(StoreError):
    """A folder of the store cannot be written to."""

    default_advice = "Make it writable, or use another folder, and run again."


class FileLimitError(StoreError):
    """A file would become larger than the system lets this user's files become."""

    default_advice = "Raise that limit (`ulimit -f`) and run again; finished steps are kept."


class PlaceError(StoreError):
    """Something else is where a folder or file of the store belongs, or on the way there."""

    default_advice = "Remove what is in the way, or use another folder, and run again."


class DamagedError(StoreError):
    """A file is not what it was when it was published or looked at."""

    default_advice = "Run again: whatever is damaged is recomputed."


class NewerError(DamagedError):
    """A newer version of the engine wrote it: of no use here, but not damaged."""

    default_advice = "Update this project."


class InputChangedError(StoreError):
    """A file of the user was changed while it was being used."""

    default_advice = "Run again when nothing writes to it any more."


class InputError(EngineError):
    """A file of the user cannot be read."""

    default_advice = "Check that the disk is reachable and the file is readable, and run again."


class EditedError(EngineError):
    """Code was edited while it was being loaded."""

    default_advice = "Nothing was published. Run again."


class UnseenCodeError(EngineError):
    """A stage reaches code that no key can see, so a cached result could be stale."""

    default_advice = (
        "Import by name, pass a function as a FunctionRef, or pass a file as an input of the stage."
    )


class RunNotFoundError(EngineError):
    """No run, or more than one, has the name that was asked for."""


class NotPublishedError(EngineError):
    """A run is asked for a file of a kind that its pipeline does not make."""


class AliasDamagedError(DamagedError):
    """A decision about an alias is not what was written, so what the alias names is not known."""

    default_advice = "Put the file back from a copy, or decide anew which run is meant."


class NewerDecisionError(AliasDamagedError):
    """A newer version of the engine wrote it: not damaged, but what it says is not known either."""

    default_advice = "Update this project."


class MovedError(EngineError):
    """An alias names something else than it did when a decision about it was prepared."""

    default_advice = "Decide again."


class NoTargetError(EngineError):
    """What an alias is to name is not there."""

    default_advice = "Put it back from a copy, or decide anew which run is meant."


class TargetDamagedError(DamagedError):
    """A file of what an alias is to name is not what was published; nothing computes it anew."""

    default_advice = "Put it back from a copy, or decide anew which run is meant."
