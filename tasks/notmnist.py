"""The published notMNIST data set, four gzipped IDX files: which they are, what is in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from autoencoders.errors import PipelineError
from tasks.formats.idx import idx_labels, read_idx

URL = "https://raw.githubusercontent.com/davidflanagan/notMNIST-to-MNIST/HEAD"
"""A folder that has them; posted there with the permission of the data set's author."""
SHA256 = {
    "t10k-images-idx3-ubyte.gz": "70ae9e06201f2827e5b0a3781a3169d735dd2efc69996b9eeaee7f10ed4044d7",
    "t10k-labels-idx1-ubyte.gz": "1fa03836e01c862542f8eb83463bb951bebec6fcb3efa28dad748c6b38a9021b",
}
"""Of those that are known; the others are recorded at the first download."""
COUNTS = {"train": 60_000, "t10k": 10_000}
SHAPE = (28, 28, 1)
LETTERS = 10
SUMS = "SHA256SUMS"
"""The file beside the data that records every sha256, as `sha256sum --check` reads it."""


def _check_images(path: Path, count: int) -> None:
    images = read_idx(path)
    if (images.count, images.shape) != (count, SHAPE):
        raise PipelineError(
            f"{path}: {images.count:,} images of {images.shape}; expected {count:,} of {SHAPE}.",
            "Give the address of the published files with --url.",
        )
    for _ in images.parts(1 << 14):  # to its end: gzip has a checksum there
        pass


def _check_labels(path: Path, count: int) -> None:
    kinds, counts = np.unique(idx_labels(path).values, return_counts=True)
    if kinds.tolist() != list(range(LETTERS)) or set(counts.tolist()) != {count // LETTERS}:
        raise PipelineError(
            f"{path}: {counts.sum():,} labels of {len(kinds)} kinds; expected {count // LETTERS:,} "
            f"of each of {LETTERS}.",
            "Give the address of the published files with --url.",
        )


def _checked(kind: Callable[[Path, int], None], count: int) -> Callable[[Path], None]:
    return lambda path: kind(path, count)


FILES = {
    f"{split}-{name}-ubyte.gz": _checked(check, count)
    for split, count in COUNTS.items()
    for name, check in (("images-idx3", _check_images), ("labels-idx1", _check_labels))
}
"""By name, what raises a PipelineError if a file is not what it should be."""


def recorded_sums(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file that is known or was recorded in a folder, which counts more.

    Raises:
        PipelineError: If the record is damaged.
    """
    sums, path = dict(SHA256), folder / SUMS
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for row, line in enumerate(lines, start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != len(next(iter(SHA256.values()))) or not name:
            raise PipelineError(
                f"{path}, row {row}: expected a sha256, two spaces and a name, got {line[:80]!r}.",
                "Correct the row, or remove the file.",
            )
        sums[name] = digest.lower()
    return sums
