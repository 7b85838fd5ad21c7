"""Render: one figure, as PNG."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.drawing import drawing_defaults
from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage
from tasks.formats.tables import read_table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@stage
def render(
    output: Output,
    name: str,
    draw: FunctionRef,
    inputs: Mapping[str, ArtifactRef],
    options: Mapping[str, Any],
    images: int,
) -> None:
    """Write `<name>.png`.

    Args:
        output: Where it goes.
        name: Name of the figure.
        draw: A function of a mapping from labels to tables or images that returns a matplotlib
            figure.
        inputs: By label, a table (CSV, Parquet) or images (NPY).
        options: Further arguments of `draw`.
        images: How many images of each NPY file are drawn, from the first on.
    """
    loaded = {label: _load(ref, images) for label, ref in inputs.items()}
    with drawing_defaults():
        figure = draw.load()(loaded, **options)
        # No version of matplotlib in the file: equal figures are equal bytes
        figure.savefig(output.folder / f"{name}.png", dpi=150, metadata={"Software": None})


def _load(ref: ArtifactRef, images: int) -> "pd.DataFrame | NDArray[np.float32]":
    """Return a table, or the first images (n, h, w, c), by the kind of file."""
    import pandas as pd

    if ref.path.suffix == ".csv":
        return pd.read_csv(ref.path, keep_default_na=False)
    if ref.path.suffix == ".parquet":
        return read_table(ref.path)
    return np.array(np.load(ref.path, mmap_mode="r")[:images])
