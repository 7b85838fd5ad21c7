"""What settings leave to the machine: precision and threads, found without loading TensorFlow."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from ctypes.util import find_library
from pathlib import Path

from autoencoders.settings import ResolvedSettings, Settings, resolved
from autoencoders.training_settings import Precision

CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
"""Any of them: the processor multiplies bfloat16 at twice the speed of float32 or more."""
GPU_CAPABILITY = 8.0
"""CUDA compute capability from which a GPU has matrix units for bfloat16."""


def resolve_settings(settings: Settings) -> ResolvedSettings:
    """Replace what settings leave to the machine: the precision `auto`, and 0 threads.

    A cache key holds the answer, not the question: another machine may answer differently.
    """
    precision = settings.training.precision
    if precision == "auto":
        precision = resolve_precision()
    return resolved(settings, precision, resolve_threads())


def resolve_precision() -> Precision:
    """Return the compute dtype in which this machine trains fastest."""
    gpu = _gpu_capability()  # where there is one, TensorFlow trains on it
    fast = _cpu_has_bfloat16() if gpu is None else gpu >= GPU_CAPABILITY
    return "bfloat16" if fast else "float32"


def resolve_threads() -> int:
    """Return how many cores this process may use, which `taskset` or a container can lower."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether Linux lists such a flag; elsewhere, and on ARM, float32 is the safe choice."""
    if platform.machine() not in ("x86_64", "AMD64") or not cpuinfo.is_file():
        return False
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text("utf-8"), re.MULTILINE)
    return flags is not None and not CPU_FLAGS.isdisjoint(flags[1].split())


def _has_cudnn() -> bool:
    """Return whether cuDNN, CUDA's library for networks, is installed, by pip or by the system."""
    names = (one.metadata["Name"] or "" for one in importlib.metadata.distributions())
    return any(name.startswith("nvidia-cudnn") for name in names) or bool(find_library("cudnn"))


def _gpu_capability() -> float | None:
    """Return the CUDA compute capability of the oldest GPU; None where TensorFlow uses none.

    NVIDIA's tool knows it; TensorFlow also needs libraries that it may have come without, and
    `CUDA_VISIBLE_DEVICES` may hide all GPUs.
    """
    tool = shutil.which("nvidia-smi")
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if tool is None or hidden or not _has_cudnn():
        return None
    query = [tool, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(  # noqa: S603
            query, capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # a driver that does not answer its own tool cannot be used either
    found = [float(line) for line in answer.stdout.split() if re.fullmatch(r"\d+\.\d+", line)]
    return min(found, default=None)
