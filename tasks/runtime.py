"""What decides bits outside of a stage's arguments: how the libraries that compute are set up.

Their behaviour depends on environment variables and configuration files that have nothing to do
with a run. What nobody needs is neutralised here; what somebody may choose is an argument of the
stages (the compute dtype, the number of threads). Stages that compute reach this module, so it is
part of their keys. docs/environment.md has the whole table.
"""

import contextlib
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from autoencoders.errors import PipelineError

PREFIXES = ("TF_", "TF2_", "XLA_", "ONEDNN_", "DNNL_", "KERAS_", "NVIDIA_TF32_")
"""Variables of TensorFlow, XLA, oneDNN and Keras, under all of their names."""
OTHERS = ("TF_CLI_", "TF_VAR_", "TF_LOG", "TF_DATA_DIR", "TF_WORKSPACE", "TF_INPUT", "TF_PLUGIN_",
          "TF_IN_AUTOMATION", "TF_REGISTRY_", "TF_IGNORE")  # fmt: skip
"""Variables of Terraform, which has the first of these prefixes too."""
HARMLESS = frozenset(
    {
        "TF_CPP_MIN_LOG_LEVEL", "TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_VMODULE", "TF_CPP_LOG_THREAD_ID",
        "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_GPU_THREAD_MODE",
        "TF_GPU_THREAD_COUNT", "ONEDNN_VERBOSE", "DNNL_VERBOSE", "KERAS_HOME",
    }
)  # fmt: skip
"""Those that change no result: what is logged, and how memory is managed."""
ONEDNN = platform.machine() in ("x86_64", "AMD64")
"""Whether TensorFlow computes with oneDNN."""
CHOSEN = {
    "KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0", "TF2_BEHAVIOR": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}  # fmt: skip
"""What they are set to, for good."""


def import_tensorflow(threads: int, log: Callable[[str], None]) -> None:
    """Import TensorFlow and Keras in the one set-up that results may depend on.

    It takes seconds, so only a stage that is about to compute does it.

    Args:
        threads: How many threads one operation uses; it decides the last bits of sums.
        log: Receives a line if environment variables were removed that would change results.

    Raises:
        PipelineError: If this process has used TensorFlow in another set-up already.
    """
    if removed := neutralise_environment():
        log(f"Ignored, since they would change results: {', '.join(removed)}.")
    with _discarded_stderr():
        import keras
        import tensorflow as tf
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise PipelineError(
            f"TensorFlow already runs in this process, but not with {threads} threads.",
            "Restart the process (in a notebook, the kernel) and run again.",
        ) from error
    _require_plain_tensorflow(tf)
    tf.get_logger().addFilter(_is_news)
    if keras.backend.backend() != "tensorflow":
        raise PipelineError(
            f"Keras was imported in this process with the backend {keras.backend.backend()}.",
            "Restart the process (in a notebook, the kernel) and run again.",
        )
    # What a keras.json in the user's folder may say otherwise
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a warning says something: each training of a process has graphs of its own, of
    which TensorFlow supposes that they are one that is traced again and again."""
    return "triggered tf.function retracing" not in record.getMessage()


def _require_plain_tensorflow(tf: Any) -> None:
    """Undo or refuse what this process may have told TensorFlow before.

    Raises:
        PipelineError: If it cannot be undone.
    """
    from tensorflow.python.util import _pywrap_util_port

    tf.config.run_functions_eagerly(False)
    tf.config.optimizer.set_jit(False)
    # Off, all of them, unless somebody has chosen otherwise
    options = tf.config.optimizer.get_experimental_options()
    if changed := [name for name, on in options.items() if on]:
        raise PipelineError(
            f"Options of TensorFlow's optimizer were set in this process: {', '.join(changed)}.",
            "Restart the process (in a notebook, the kernel), and run again without setting them.",
        )
    if ONEDNN and not _pywrap_util_port.IsMklEnabled():
        raise PipelineError(
            "TensorFlow was imported in this process before this pipeline set it up, and so "
            "computes without oneDNN, as it does by itself on some processors.",
            "Restart the process (in a notebook, the kernel), and set TF_ENABLE_ONEDNN_OPTS=1 in "
            "its environment before TensorFlow is imported.",
        )


def neutralise_environment() -> list[str]:
    """Remove every variable of the libraries that may change results; return their names.

    Raises:
        PipelineError: If TensorFlow was imported with one of them, which cannot be undone.
    """
    found = [
        name
        for name in sorted(os.environ)
        if name.startswith(PREFIXES)
        and not name.startswith(OTHERS)
        and name not in HARMLESS
        and os.environ[name] != _chosen(name)
    ]
    if found and "tensorflow" in sys.modules:
        raise PipelineError(
            f"TensorFlow was imported in this process with {found[0]}={os.environ[found[0]]}, "
            "which changes results.",
            f"Unset {', '.join(found)}, restart the process, and run again.",
        )
    for name in found:
        del os.environ[name]
    for name, value in CHOSEN.items():
        os.environ.setdefault(name, value)
    # Keras imports matplotlib, and what that reads then holds for figures drawn later
    os.environ["MPLBACKEND"] = "agg"
    os.environ.pop("FREETYPE_PROPERTIES", None)
    if ONEDNN:
        # On processors without AVX-512 TensorFlow would not use oneDNN and take twice as long; the
        # choice is made for all, since it decides the last bits of every result
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    return found


def _chosen(name: str) -> str | None:
    """Return the value of a variable that this module sets itself."""
    return {**CHOSEN, "TF_ENABLE_ONEDNN_OPTS": "1"}.get(name)


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
