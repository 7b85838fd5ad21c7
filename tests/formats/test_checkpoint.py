"""What an interrupted training resumes from."""

import numpy as np
import pytest

from tasks.formats.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture
def path(tmp_path):
    """A checkpoint of one array."""
    path = tmp_path / "epoch.npz"
    save_checkpoint(path, {"a": np.arange(4)})
    return path


def test_the_last_saved_arrays_come_back(path):
    """Each save replaces the one before, and leaves no other file."""
    save_checkpoint(path, {"a": np.arange(5), "b": np.float32(1)})
    loaded = load_checkpoint(path)

    assert loaded["a"].tolist() == [0, 1, 2, 3, 4]
    assert loaded["b"].dtype == np.float32
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("place", [0, 40, -10])
def test_a_changed_checkpoint_is_not_resumed_from(path, place):
    """Training would end in other bytes; it starts over instead."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)

    assert load_checkpoint(path) is None


@pytest.mark.parametrize("size", [0, 10, 100])
def test_a_truncated_checkpoint_is_not_resumed_from(path, size):
    """However little of it is left."""
    path.write_bytes(path.read_bytes()[:size])

    assert load_checkpoint(path) is None


def test_without_a_checkpoint_there_is_nothing_to_resume_from(tmp_path):
    """The first epoch begins."""
    assert load_checkpoint(tmp_path / "none.npz") is None
