"""The one family of errors that a user can cause and mend."""


class PipelineError(Exception):
    """Something a user can mend; the message says what arrived, what was expected, what to do.

    The command line prints the message alone, without a traceback.
    """
