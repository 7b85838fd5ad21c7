"""In which precision a machine trains."""

import os

import pytest

from autoencoders.settings import QUICK, REFERENCE
from tasks.engine.handles import ArtifactRef
from tasks.engine.stage import stage_of
from tasks.resolve import _cpu_has_bfloat16, resolve_settings
from tasks.train import train

XEON = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile amx_bf16\n\nprocessor\t: 1\n"


def forced(precision):
    training = REFERENCE.training.model_copy(update={"precision": precision})
    return REFERENCE.model_copy(update={"training": training})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (XEON, True),
        ("flags\t\t: fpu avx2 avx512_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", False),  # emulated there, and slower
        ("Features\t: fp asimd bf16\n", False),
    ],
)
def test_a_processor_is_known_by_its_flags(tmp_path, monkeypatch, text, answer):
    """Those that Linux lists for an x86 processor."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text(text)

    assert _cpu_has_bfloat16(tmp_path / "cpuinfo") is answer
    assert not _cpu_has_bfloat16(tmp_path / "absent")


@pytest.mark.parametrize(
    ("cpu", "gpu", "visible", "answer"),
    [
        ("avx2", "echo 9.0", None, "bfloat16"),
        ("avx512_bf16", "echo 7.5; echo 9.0", None, "float32"),  # it trains on the GPU
        ("avx512_bf16", "echo 7.5", "-1", "bfloat16"),  # which is hidden
        ("avx512_bf16", "echo driver mismatch; exit 9", None, "bfloat16"),
        ("avx2", None, None, "float32"),
    ],
)
def test_a_gpu_decides_where_tensorflow_uses_one(tmp_path, monkeypatch, cpu, gpu, visible, answer):
    """NVIDIA's tool is played by a script."""
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu {cpu}\n")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(_cpu_has_bfloat16, "__defaults__", (tmp_path / "cpuinfo",))
    if gpu is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{gpu}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        library = tmp_path / "nvidia_cudnn_cu12-9.0.dist-info"
        library.mkdir()
        (library / "METADATA").write_text("Name: nvidia-cudnn-cu12\nVersion: 9.0\n")
        monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert resolve_settings(REFERENCE).training.precision == answer


def test_auto_is_resolved_and_a_forced_precision_stays():
    """All other settings stay as they are."""
    found = resolve_settings(QUICK)

    assert found.training.precision in ("float32", "bfloat16")
    machine = {"training": {"precision", "threads"}}
    assert found.model_dump(exclude=machine) == QUICK.model_dump(exclude=machine)
    for precision in ("float32", "bfloat16"):
        assert resolve_settings(forced(precision)).training.precision == precision


def test_the_number_of_threads_is_that_of_the_cores_or_what_was_asked_for():
    """Also where a process may use only some of the cores."""
    asked = REFERENCE.model_copy(
        update={"training": REFERENCE.training.model_copy(update={"threads": 3})}
    )
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert resolve_settings(REFERENCE).training.threads == 1
    finally:
        os.sched_setaffinity(0, cores)

    assert resolve_settings(REFERENCE).training.threads == len(cores)
    assert resolve_settings(asked).training.threads == 3


def test_the_precision_is_part_of_the_key_of_training():
    """The answer, not the question: another machine may answer differently."""
    ref = ArtifactRef(uri="file:///images.npy", sha256="0" * 64, size=1)
    stage = stage_of(train)
    keys = set()
    for precision in ("float32", "bfloat16"):
        training = resolve_settings(forced(precision)).training
        inputs = stage.bind(ref, ref, "denoiser", seed=0, training=training)
        keys.add(stage.key_parts(inputs).key)

    assert len(keys) == 2
