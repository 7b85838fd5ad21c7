"""The family of errors that a user can fix."""

import pickle

import pytest

from autoencoders.errors import DivergedError, PipelineError


@pytest.mark.parametrize("kind", [PipelineError, DivergedError])
def test_an_error_survives_pickling(kind):
    """Errors cross process boundaries; what was said and what to do must arrive apart."""
    error = pickle.loads(pickle.dumps(kind("It is broken.", "Fix it.")))

    assert type(error) is kind
    assert (error.problem, error.advice) == ("It is broken.", "Fix it.")
    assert str(error) == "It is broken. Fix it."


def test_advice_may_be_missing():
    """Then the message is the problem alone, without a trailing space."""
    assert str(PipelineError("It is broken.")) == "It is broken."
