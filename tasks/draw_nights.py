"""Draw the nights: what was decided about challengers, and how far the data have drifted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.drawing import drawing_defaults
from tasks.engine.handles import Output, stage

NUMBERS = ("gain", "low", "high", "margin", "psi", "ks")


@stage
def draw_nights(output: Output, nights: Sequence[Mapping[str, Any]]) -> None:
    """Write `nights.png`.

    Args:
        output: Where it goes.
        nights: The decisions, oldest first: of each `date`, `event`, and numbers or null as
            `gain`, `low`, `high`, `margin`, `psi` and `ks`.
    """
    with drawing_defaults():
        import pandas as pd

        from autoencoders.figures.nights import nights as draw

        table = pd.DataFrame([dict(one) for one in nights])
        for name in NUMBERS:
            table[name] = table[name].astype(np.float64)  # null is NaN
        # No version of matplotlib in the file: equal figures are equal bytes
        figure = draw(table)
        figure.savefig(output.folder / "nights.png", dpi=150, metadata={"Software": None})
