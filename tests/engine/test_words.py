"""The engine speaks of stages and artifacts, not of one project's subject or command line."""

import re
from pathlib import Path

import pytest

from tasks import engine

FILES = sorted(path for path in Path(engine.__file__).parent.rglob("*") if path.suffix == ".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_of_the_engine_names_what_it_is_used_for(path):
    """Neither the subject of this project nor an option of its commands: another may use it."""
    text = path.read_text()

    assert re.findall(r"(?i)autoencoder|denoiser|psnr", text) == []
    assert re.findall(r"(?:^|[^-\w])--[a-z][\w.-]*", text, re.M) == []


def test_every_file_of_the_engine_is_looked_at():
    """The loop above must not pass because it found no files."""
    assert {"handles.py", "key.py", "store.py"} <= {path.name for path in FILES}
