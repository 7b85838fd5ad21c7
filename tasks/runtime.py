"""What decides bits outside of a stage's arguments: how TensorFlow is set up.

Stages that compute with TensorFlow reach this module, so it is part of their keys.
"""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path


def import_tensorflow() -> None:
    """Set the environment that TensorFlow reads when it is imported, and import it, with Keras.

    It takes seconds, so only a stage that is about to compute does it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if platform.machine() in ("x86_64", "AMD64"):
        # On processors without AVX-512 it would not use oneDNN and take twice as long; the choice
        # is made for all, since it decides the last bits of every result
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    with _discarded_stderr():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _discarded_stderr() -> Iterator[None]:
    """Discard what TensorFlow's C++ part prints while it is imported.

    It writes half a dozen lines on every machine without a GPU before it reads any of its settings;
    what goes wrong arrives as an exception all the same.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
