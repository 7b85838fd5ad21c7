"""The reference job whole: 50 epochs of both networks, evaluation and figures."""

import json
import sys
import tempfile
from pathlib import Path

from tests.bench_tools import HOME, Table, timed


def reference_job(data: Path) -> Table:
    """Run it with our means, then in float32; a notebook's own step is in `make bench`."""
    rows = []
    for precision in ("auto", "float32"):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            artifacts = Path(folder)
            used = timed(
                [sys.executable, HOME / "flows" / "full.py", "--data", data, "--artifacts",
                 artifacts, "--training.precision", precision],
                {},
            )  # fmt: skip
            latest = artifacts / "latest"
            run = json.loads((latest / "run.json").read_text())
            steps = {step["step"]: step["seconds"] for step in run["steps"]}
            metrics = json.loads((latest / "metrics.json").read_text())
        rows.append([
            precision, f"{used.wall:.0f}", f"{used.cpu:.0f}", f"{used.peak:.0f}",
            *(f"{steps[step]:.0f}" for step in ("train autoencoder", "train denoiser")),
            *(f"{metrics[system]['mse']:.5f}" for system in ("autoencoder", "denoiser")),
        ])  # fmt: skip
    return Table(
        "The reference job",
        "50 epochs, both networks, evaluation and figures; the whole process.",
        ["precision", "s", "CPU s", "peak MiB", "train autoencoder s", "train denoiser s",
         "autoencoder MSE", "denoiser MSE"],
        rows,
    )  # fmt: skip
