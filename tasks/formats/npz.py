"""Named arrays in one NPZ file; equal arrays are equal bytes, since NumPy stores no times."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float64]]


def write_arrays(arrays: Arrays, path: Path) -> None:
    """Write arrays of numbers, each under its name."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read what `write_arrays` wrote; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
