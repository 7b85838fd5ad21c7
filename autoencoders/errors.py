"""The family of errors that a user can cause and fix."""


class PipelineError(Exception):
    """Something a user can fix; shown as a plain message, without a traceback.

    Args:
        problem: What is wrong: which argument or file, what was expected, what arrived.
        advice: The one next step to take; empty where the problem says it all.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem, advice)  # these become `args`, from which it is unpickled
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.problem} {self.advice}".strip()


class DivergedError(PipelineError):
    """The loss of a training is no longer a finite number."""
