"""What is wrong with a file of the user."""

from autoencoders.errors import PipelineError


class DataError(PipelineError):
    """A file of the user is not what it should be.

    The problem names the file, where it can the row and column, what was expected and what arrived;
    the advice is the one step that works for this file. Settings are written as options of the
    command line (`--image.height 8`).
    """
