"""Fixtures of the tests that call stages as plain functions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.engine.files import reference
from tasks.engine.handles import ArtifactRef, Output


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """Where a stage writes."""
    return Output(tmp_path / "out")


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str, Any], ArtifactRef]:
    """Return a function that saves an array and returns its reference."""

    def saved(name: str, array: Any) -> ArtifactRef:
        path = tmp_path / f"{name}.npy"
        np.save(path, array)
        return reference(path)

    return saved
