"""Decisions about challengers whose true gain is known: `python -m tests.bench.decisions`.

Small networks are trained on resampled letters, from many seeds and for different times. How good
each truly is, is measured on 20,000 images; each decision sees 1,000 others, drawn anew. Prints the
table of docs/operations.md; takes some minutes.
"""

import gzip
import sys
from typing import Any

import numpy as np

from autoencoders.images.gaussian_noise import add_gaussian_noise
from autoencoders.metrics.promotion import Pair, Rules, decide
from autoencoders.metrics.quality import mean_squared_error
from tasks.resolve import resolve_threads
from tasks.runtime import import_tensorflow
from tests.support import SHARED

LEVELS = {"main": 0.5, "weaker noise": 0.4, "stronger noise": 0.625}
PART = 20_000
"""Images to train on, to measure the truth on, and to decide on, of each so many."""
NETWORKS = 24
IMAGES = 1000
"""Images that a decision sees."""
RULES = Rules(margin=0.1, tolerance=0.1, images=100)
BINS = ((-9, 0.0), (0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 1.0))
"""True gains in dB, from above the first number up to the second."""
Scores = dict[str, dict[str, np.ndarray]]


def letters() -> tuple[np.ndarray, np.ndarray]:
    """Return 60,000 letters of 14 x 14 pixels, float32 (n, 14, 14, 1), and their labels."""
    with gzip.open(SHARED / "full" / "train_data.csv.gz") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    halved = rows.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4), dtype=np.float32) / 255
    labels = np.loadtxt(SHARED / "full" / "train_lables.csv", dtype=np.int64)
    return halved[..., None], labels


def trained(images: np.ndarray, seed: int, epochs: int) -> Any:
    """Train one small network on images that are drawn with replacement."""
    import keras

    rng = np.random.default_rng(seed)
    clean = images[rng.integers(len(images), size=6000)].reshape(6000, -1)
    noisy = add_gaussian_noise(clean.reshape(-1, 14, 14, 1), 0.5, rng).reshape(6000, -1)
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([
        keras.Input((196,)), keras.layers.Dense(160, "relu"), keras.layers.Dense(196, "sigmoid"),
    ])  # fmt: skip
    network.compile(keras.optimizers.Adam(2e-3), "mse")
    network.fit(noisy, clean, batch_size=100, epochs=epochs, verbose=0)
    return network


def scored(
    network: Any, clean: np.ndarray, noisy: dict[str, np.ndarray], *, ssim: bool
) -> dict[str, np.ndarray]:
    """Return errors per image at each noise level, and the SSIM at the main one if asked for."""
    from autoencoders.metrics.structural_similarity import structural_similarity

    found = {}
    for name, images in noisy.items():
        flat = network.predict(images.reshape(len(images), -1), batch_size=2000, verbose=0)
        restored = flat.reshape(images.shape)
        found[name] = mean_squared_error(clean, restored)
        if ssim and name == "main":
            found["ssim"] = structural_similarity(clean, restored)
    return found


def measured(networks: int) -> tuple[list[Scores], np.ndarray]:
    """Train the networks; return the scores of each on two sets of images, and labels of one."""
    images, labels = letters()
    rng = np.random.default_rng(0)
    sets = {"truth": images[PART : 2 * PART], "decisions": images[2 * PART :]}
    levels = {"truth": {"main": LEVELS["main"]}, "decisions": LEVELS}
    noisy = {
        name: {level: add_gaussian_noise(clean, one, rng) for level, one in levels[name].items()}
        for name, clean in sets.items()
    }
    found = []
    for seed in range(networks):
        network = trained(images[:PART], seed, 3 + seed % 12)
        found.append(
            {
                name: scored(network, sets[name], noisy[name], ssim=name == "decisions")
                for name in sets
            }
        )
        print(f"network {seed + 1} of {networks}", file=sys.stderr)
    return found, labels[2 * PART :]


def true_gain(champion: Scores, challenger: Scores) -> float:
    """Return the gain in dB on the images of the truth."""
    errors = [float(one["truth"]["main"].mean()) for one in (champion, challenger)]
    return 10 * float(np.log10(errors[0] / errors[1]))


def promoted(
    champion: Scores, challenger: Scores, labels: np.ndarray, rng: np.random.Generator
) -> bool:
    """Decide as a retraining does, on images drawn anew."""
    rows = rng.choice(len(labels), IMAGES, replace=False)
    pairs = {
        name: Pair(champion["decisions"][name][rows], challenger["decisions"][name][rows])
        for name in champion["decisions"]
    }
    main, ssim = pairs.pop("main"), pairs.pop("ssim")
    return decide(main, ssim, pairs, labels[rows], None, RULES, rng).promote


def simulate(networks: int, each: int) -> list[tuple[str, int, int]]:
    """Return, by bin of the true gain, how many decisions there were and how many promoted."""
    scores, labels = measured(networks)
    rng = np.random.default_rng(1)
    pairs = [(a, b) for a in range(networks) for b in range(networks) if a != b]
    gains = {(a, b): true_gain(scores[a], scores[b]) for a, b in pairs}
    rows = []
    for low, high in BINS:
        inside = [pair for pair in pairs if low < gains[pair] <= high and gains[pair] > -1]
        chosen = [inside[one] for one in rng.integers(len(inside), size=each)] if inside else []
        wins = sum(promoted(scores[a], scores[b], labels, rng) for a, b in chosen)
        name = f"{high:g} or less" if low == -9 else f"{low:g} to {high:g}"
        rows.append((name, len(chosen), wins))
    return rows


def main() -> None:
    """Print the table; the first argument says how many decisions there are per bin."""
    import_tensorflow(resolve_threads(), lambda line: None)
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    print("| true gain (dB) | decisions | promoted |\n| --- | ---: | ---: |")
    for name, count, wins in simulate(NETWORKS, each):
        print(f"| {name} | {count} | {wins} ({wins / max(1, count):.0%}) |")


if __name__ == "__main__":
    main()
