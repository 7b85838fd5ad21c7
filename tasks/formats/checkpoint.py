"""What an interrupted training resumes from: one file, replaced after every epoch."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.engine.handles import write_atomically

DIGEST_SIZE = hashlib.sha256().digest_size


def save_checkpoint(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Replace the file at `path`: a sha256, then the NPZ archive of these arrays that it is of."""
    archive = io.BytesIO()
    np.savez(archive, **arrays)  # type: ignore[arg-type]
    content = archive.getvalue()
    write_atomically(path, hashlib.sha256(content).digest() + content)


def load_checkpoint(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return the arrays last saved at `path`; None if there are none or the file was changed."""
    if not path.is_file():
        return None
    stored = path.read_bytes()
    digest, content = stored[:DIGEST_SIZE], stored[DIGEST_SIZE:]
    if hashlib.sha256(content).digest() != digest:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return dict(archive)
