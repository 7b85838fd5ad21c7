"""Whether bfloat16 learns what float32 learns: validation curves of several seeds."""

import tempfile
from pathlib import Path

import numpy as np

from autoencoders.settings import ImageSettings, ReadingSettings
from tasks.engine.files import reference
from tasks.engine.handles import Output
from tasks.engine.runner import input_refs
from tasks.find_files import find_files
from tasks.ingest import ingest
from tasks.prepare import prepare
from tests.bench.tools import Table

IMAGES, EPOCHS, SEEDS = 15_000, 20, (0, 1, 2)


def curves(data: Path) -> Table:
    """Train the autoencoder in both precisions, from each seed, on the first images of `data`."""
    import keras

    from autoencoders.models.network import build_network
    from autoencoders.models.training import Trainer
    from autoencoders.models.validation import split_validation

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tables = Output(Path(folder) / "tables")
        ingest(tables, input_refs(find_files(data)), ImageSettings(), ReadingSettings(), 0)
        made = Output(Path(folder) / "images")
        prepare(made, reference(tables.folder / "train.parquet"))
        images = np.load(made.folder / "images.npy")[:IMAGES]
    found: dict[tuple[str, int], list[float]] = {}
    for seed in SEEDS:
        fit, held_out = split_validation(len(images), 0.2, seed)
        for precision in ("float32", "bfloat16"):
            network = build_network(images.shape[1:], seed)
            trainer = Trainer(
                network, keras.optimizers.RMSprop(), batch_size=128, seed=seed,
                precision=precision,  # type: ignore[arg-type]
            )  # fmt: skip
            curve = found[precision, seed] = []
            for epoch in range(EPOCHS):
                trainer.train_epoch(images, images, fit, epoch)
                curve.append(trainer.validate(images, images, held_out))
    rows = []
    for epoch in range(EPOCHS):
        columns = [[found[precision, seed][epoch] for seed in SEEDS]
                   for precision in ("float32", "bfloat16")]  # fmt: skip
        inside = min(columns[0]) <= np.mean(columns[1]) <= max(columns[0])
        rows.append([
            str(epoch + 1), *(f"{value:.5f}" for column in columns for value in column),
            f"{np.mean(columns[1]) / np.mean(columns[0]):.3f}", "yes" if inside else "no",
        ])  # fmt: skip
    return Table(
        "Validation MSE in float32 and in bfloat16",
        f"The autoencoder, {len(images):,} images, {len(SEEDS)} seeds, batch 128. Inside: the mean "
        "of the bfloat16 seeds lies between the lowest and the highest of the float32 ones.",
        ["epoch", *(f"f32, {seed}" for seed in SEEDS), *(f"bf16, {seed}" for seed in SEEDS),
         "ratio of means", "inside"],
        rows,
    )  # fmt: skip
