"""What a machine trains in."""

import pytest

from autoencoders.settings import QUICK, SEED
from tasks.hardware import _cpu_has_bfloat16, settled
from tasks.store import ArtifactRef
from tasks.train import train

XEON = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile amx_bf16\n\nprocessor\t: 1\n"


def forced(precision):
    training = SEED.training.model_copy(update={"precision": precision})
    return SEED.model_copy(update={"training": training})


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


def test_auto_is_settled_and_a_forced_precision_stays():
    """All other settings stay as they are."""
    assert settled(QUICK).training.precision in ("float32", "bfloat16")
    assert settled(QUICK).training.epochs == QUICK.training.epochs
    for precision in ("float32", "bfloat16"):
        assert settled(forced(precision)) == forced(precision)


def test_the_precision_is_part_of_the_key_of_training():
    """Its answer, not the question: another machine may answer otherwise."""
    ref = ArtifactRef(uri="file:///images.npy", sha256="0" * 64, size=1)
    keys = {
        train.parts(train.named(ref, ref, "denoiser", 0, forced(precision).training)).key
        for precision in ("float32", "bfloat16")
    }

    assert len(keys) == 2
