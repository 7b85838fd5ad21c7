"""Evaluate: how well the two networks restore the test images."""

from typing import TYPE_CHECKING

import numpy as np

from tasks.keras_files import load_network
from tasks.npy import read_batches
from tasks.stage import stage
from tasks.store import ArtifactRef, Output, to_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 1 << 22
"""Bytes of images a batch; the metrics take some dozens of times as much."""
EXAMPLES = 10
"""The first test images, kept for the figures with what was made of them."""
SYSTEMS = ("noisy", "autoencoder", "denoiser")


@stage
def evaluate(
    output: Output,
    clean: ArtifactRef,
    noisy: ArtifactRef,
    labels: ArtifactRef,
    autoencoder: ArtifactRef,
    denoiser: ArtifactRef,
) -> None:
    """Write `metrics.json`, `per_image.parquet`, `per_class.csv` and `examples.npz`.

    Three systems are compared with the clean test images: the noisy images themselves, the
    autoencoder given the clean images, the denoiser given the noisy ones.
    """
    import pandas as pd

    from autoencoders.evaluation import score_images, summarise
    from autoencoders.execution import predictor

    networks = {
        "autoencoder": predictor(load_network(autoencoder.path)),
        "denoiser": predictor(load_network(denoiser.path)),
    }
    scores: dict[str, list[pd.DataFrame]] = {system: [] for system in SYSTEMS}
    examples: dict[str, NDArray[np.float32]] = {}
    for real, worse in zip(
        read_batches(clean.path, SIZE), read_batches(noisy.path, SIZE), strict=True
    ):
        restored = {
            "noisy": worse,
            "autoencoder": networks["autoencoder"](real),
            "denoiser": networks["denoiser"](worse),
        }
        for system, images in restored.items():
            scores[system].append(score_images(real, images))
        if not examples:
            everything = {"clean": real, **restored}
            examples = {name: images[:EXAMPLES] for name, images in everything.items()}

    tables = {system: pd.concat(parts, ignore_index=True) for system, parts in scores.items()}
    metrics = {system: summarise(table) for system, table in tables.items()}
    per_image = pd.concat(
        [
            pd.Series(np.load(labels.path), name="label"),
            *(table.add_prefix(f"{system}_") for system, table in tables.items()),
        ],
        axis=1,
    )
    per_image.rename_axis("image").to_parquet(output.folder / "per_image.parquet")
    per_class = per_image.groupby("label").mean()
    per_class.insert(0, "images", per_image.groupby("label").size())
    per_class.to_csv(output.folder / "per_class.csv", float_format="%.6f")
    (output.folder / "metrics.json").write_bytes(to_json({"images": len(per_image), **metrics}))
    np.savez(output.folder / "examples.npz", **examples)  # type: ignore[arg-type]
