"""Draw the points of an experiment: what they reach against what they cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.drawing import drawing_defaults
from tasks.engine.handles import Output, stage

NUMBERS = ("psnr", "spread", "cost")


@stage
def draw_pareto(output: Output, points: Sequence[Mapping[str, Any]], title: str) -> None:
    """Write `pareto.png`.

    Args:
        output: Where it goes.
        points: Of each `point`, its number, `words`, `noise`, whether it was `chosen`, and as
            numbers or null `psnr`, its `spread` over seeds, and `cost`.
        title: Heading of the figure.
    """
    with drawing_defaults():
        import pandas as pd

        from autoencoders.figures.pareto import pareto

        names = ("point", "words", "noise", "chosen", *NUMBERS)
        table = pd.DataFrame([dict(one) for one in points], columns=names)
        for name in NUMBERS:
            table[name] = table[name].astype(np.float64)  # null is NaN
        # No version of matplotlib in the file: equal figures are equal bytes
        figure = pareto(table, title=title)
        figure.savefig(output.folder / "pareto.png", dpi=150, metadata={"Software": None})
