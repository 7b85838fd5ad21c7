"""Measure drift: are new data still like those that the champion was trained on?"""

import json
from collections.abc import Mapping

import numpy as np

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.tables import read_table

UNLABELLED = "without a label"
"""The class of images that have lost their labels, by which no class can be seen to be worse."""


@stage
def measure_drift(
    output: Output,
    before: Mapping[str, ArtifactRef],
    now: Mapping[str, ArtifactRef],
    ks: float,
    psi: float,
) -> None:
    """Write `drift.json`: of each measure, how it has changed.

    Args:
        output: Where it goes.
        before: Of the champion's data, `profile`, `classes` and `errors`: the scores of the
            champion on its own test images.
        now: The same of the new data; `errors` are those of the champion on the new test images.
        ks: Distance of Kolmogorov and Smirnov from which on a measure has drifted.
        psi: Population stability index from which on it has.
    """
    from autoencoders.metrics.drift import of_classes, of_values

    profiles = [read_table(one["profile"].path) for one in (before, now)]
    values = {name: [one[name].to_numpy() for one in profiles] for name in ("ink", "noise")}
    values["error"] = [read_table(one["errors"].path)["mse"].to_numpy() for one in (before, now)]
    found = [
        of_values(name, old.astype(np.float64), new.astype(np.float64), ks=ks, psi=psi)
        for name, (old, new) in values.items()
    ]
    counts = [json.loads(one["classes"].path.read_bytes()) for one in (before, now)]
    if counts[0]:  # without labels before, there is nothing to compare
        found.append(of_classes(counts[0], counts[1] or {UNLABELLED: len(profiles[1])}, psi=psi))
    text = json.dumps([one.__dict__ for one in found], indent=1, allow_nan=False)
    (output.folder / "drift.json").write_text(f"{text}\n", encoding="utf-8")
