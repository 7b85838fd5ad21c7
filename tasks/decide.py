"""Decide: does a challenger take the champion's place?"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from autoencoders.metrics.promotion import Pair, Rules
from autoencoders.metrics.promotion import decide as verdict_on
from autoencoders.randomness import generator
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.tables import read_table

if TYPE_CHECKING:
    from autoencoders.retraining import RetrainSettings

MAIN = "unseen"
"""Name of the comparison that a promotion rests on."""


@stage
def decide(
    output: Output,
    champion: Mapping[str, ArtifactRef],
    challenger: Mapping[str, ArtifactRef],
    baseline: Mapping[str, ArtifactRef],
    labels: ArtifactRef,
    classes: ArtifactRef,
    first: bool,
    margin: float,
    retrain: "RetrainSettings",
    seed: int,
) -> None:
    """Write `decision.json`: whether it does, why, and all numbers.

    Args:
        output: Where it goes.
        champion: Scores by comparison, `unseen` among them; of the noisy images themselves where
            there is no champion yet.
        challenger: Scores of the same images.
        baseline: Scores of a classical method; `unseen` alone, or nothing.
        labels: Labels of the unseen images, int64 (n,), or (0,).
        classes: The name of each label, from 0 on; null where the numbers say it.
        first: Whether there is no champion yet: what counts is then the error of all images alone.
        margin: The gain, in dB, that counts as one.
        retrain: What else a challenger must reach.
        seed: The run's seed.
    """
    pairs = {
        name: {
            metric: Pair(_column(champion[name], metric), _column(challenger[name], metric))
            for metric in ("mse", "ssim")
        }
        for name in champion
    }
    main = pairs.pop(MAIN)
    below = baseline.get(MAIN)
    numbers, names = np.load(labels.path), json.loads(classes.path.read_bytes())
    verdict = verdict_on(
        main["mse"], None if first else main["ssim"],
        {name: pair["mse"] for name, pair in pairs.items()},
        None if first else numbers if names is None else np.array(names)[numbers],
        None if below is None else Pair(_column(below, "mse"), main["mse"].challenger),
        Rules(margin, retrain.tolerance, retrain.images, strict=retrain.baseline == "refuse"),
        generator(seed, "decision"),
    )  # fmt: skip
    text = json.dumps(verdict.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    (output.folder / "decision.json").write_text(f"{text}\n", encoding="utf-8")


def _column(scores: ArtifactRef, metric: str) -> np.ndarray:
    return read_table(scores.path)[metric].to_numpy().astype(np.float64)
