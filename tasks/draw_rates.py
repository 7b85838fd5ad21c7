"""Draw what codes of few numbers are worth."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.drawing import drawing_defaults
from tasks.engine.handles import ArtifactRef, Output, stage

NUMBERS = ("psnr", "psnr_sd", "quantised_psnr", "quantised_psnr_sd", "accuracy", "accuracy_sd")


@stage
def draw_rates(
    output: Output,
    rows: Sequence[Mapping[str, Any]],
    places: ArtifactRef,
    strips: ArtifactRef,
    classes: ArtifactRef,
    title: str,
    mapped: str,
) -> None:
    """Write `rates.png`.

    Args:
        output: Where it goes.
        rows: Of each method and size of code, `method`, `numbers`, and numbers or null.
        places: `map.csv` of one network.
        strips: `strips.npy` of it.
        classes: The name of each label, from 0 on; null where the numbers say it.
        title: Heading of the figure.
        mapped: Which network that is.
    """
    with drawing_defaults():
        import pandas as pd

        from autoencoders.figures.rates import rates

        table = pd.DataFrame([dict(one) for one in rows])
        for name in NUMBERS:
            table[name] = table[name].astype(np.float64)  # null is NaN
        names = json.loads(classes.path.read_bytes()) or []
        plane = pd.read_csv(places.path, keep_default_na=False)
        figure = rates(table, plane, np.load(strips.path), dict(enumerate(names)), title=title,
                       mapped=mapped)  # fmt: skip
        # No version of matplotlib in the file: equal figures are equal bytes
        figure.savefig(output.folder / "rates.png", dpi=150, metadata={"Software": None})
