"""Render: what people look at."""

import numpy as np

from tasks.stage import stage
from tasks.store import ArtifactRef, Output

FIRST = 2
"""Images of each split shown clean and noisy."""


@stage
def render(
    output: Output,
    clean: dict[str, ArtifactRef],
    noisy: dict[str, ArtifactRef],
    histories: dict[str, ArtifactRef],
    layers: ArtifactRef,
    examples: ArtifactRef,
) -> None:
    """Write the five figures as PNG.

    Args:
        output: Where they go.
        clean: The images by split, `train` and `test`.
        noisy: Their noisy twins, by split.
        histories: The history of each network, by name.
        layers: The table of layers.
        examples: The first test images and what was made of them.
    """
    import pandas as pd

    from autoencoders import figures

    with np.load(examples.path, allow_pickle=False) as archive:
        shown = dict(archive)
    first = {
        f"{split}\n{kind}": np.array(np.load(refs[split].path, mmap_mode="r")[:FIRST])
        for split in clean
        for kind, refs in (("clean", clean), ("noisy", noisy))
    }
    pages = {
        "loss_curves": figures.loss_curves(
            {name: pd.read_csv(ref.path) for name, ref in histories.items()}
        ),
        "reconstructions": figures.image_rows(
            {"test image": shown["clean"], "autoencoder": shown["autoencoder"]},
            "Test images and their reconstructions",
        ),
        "noise": figures.image_rows(first, "The first images, clean and noisy"),
        "denoising": figures.image_rows(
            {"real": shown["clean"], "noisy": shown["noisy"], "denoised": shown["denoiser"]},
            "Test images: real, noisy, denoised",
        ),
        "architecture": figures.architecture(pd.read_csv(layers.path, keep_default_na=False)),
    }
    for name, figure in pages.items():
        figure.savefig(output.folder / f"{name}.png", dpi=150, metadata={"Software": None})
