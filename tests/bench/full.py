"""The reference job whole: 50 epochs of both networks, evaluation and figures."""

import json
import sys
import tempfile
from pathlib import Path

from autoencoders.settings import REFERENCE
from tasks.resolve import resolve_settings
from tests.bench.tools import HOME, Table, timed

NOTEBOOK = """
import sys, time
from pathlib import Path
import keras, numpy as np, pandas as pd
from autoencoders.models.network import build_network

folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
def images(name):
    [path] = folder.glob(f"{name}.csv*")
    return pd.read_csv(path, header=None).to_numpy("float32").reshape(-1, 28, 28, 1) / 255
train, test = images("train_data"), images("test_data")
rng = np.random.default_rng(0)
noisy = [np.clip(x + rng.normal(0, 0.5, x.shape), 0, 1).astype("float32") for x in (train, test)]
for inputs, judged in ((train, test), (noisy[0], noisy[1])):
    network = build_network((28, 28, 1), 0)
    network.compile("rmsprop", "mse")
    begun = time.monotonic()
    network.fit(inputs, train, batch_size=128, epochs=epochs, validation_split=0.2, verbose=0)
    taken = time.monotonic() - begun
    print(taken, float(np.mean((network.predict(judged, verbose=0) - test) ** 2)))
"""
"""The same job as a notebook does it; the networks are ours."""


def reference_job(data: Path) -> Table:
    """Run it with our means, in float32, and as a notebook does."""
    precisions = dict.fromkeys((resolve_settings(REFERENCE).training.precision, "float32"))
    return Table(
        "The reference job",
        f"{REFERENCE.training.epochs} epochs, both networks, evaluation and figures; whole "
        "processes. The notebook reads with pandas, trains with `fit` and draws nothing.",
        ["how", "s", "CPU s", "peak MiB", "train autoencoder s", "train denoiser s",
         "autoencoder MSE", "denoiser MSE"],
        [*(_ours(data, precision) for precision in precisions),
         _notebook(data, REFERENCE.training.epochs)],
    )  # fmt: skip


def _ours(data: Path, precision: str) -> list[str]:
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
    return [
        f"ours, {precision}", f"{used.wall:.0f}", f"{used.cpu:.0f}", f"{used.peak:.0f}",
        *(f"{steps[step]:.0f}" for step in ("train autoencoder", "train denoiser")),
        *(f"{metrics[method]['mse']:.5f}" for method in ("autoencoder", "denoiser")),
    ]  # fmt: skip


def _notebook(data: Path, epochs: int) -> list[str]:
    used = timed([sys.executable, "-c", NOTEBOOK, data, epochs], {})
    seconds, errors = zip(*(line.split() for line in used.said.splitlines()[-2:]), strict=True)
    return [
        "a notebook", f"{used.wall:.0f}", f"{used.cpu:.0f}", f"{used.peak:.0f}",
        *(f"{float(one):.0f}" for one in seconds), *(f"{float(one):.5f}" for one in errors),
    ]  # fmt: skip
