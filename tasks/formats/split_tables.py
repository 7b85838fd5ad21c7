"""The tables of train and test images, with their noisy twins, while they are written."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.findings import Contents
from autoencoders.images.fingerprint import drawn_for_test, fingerprints
from tasks.formats.image_table import ImageTableWriter

SPLITS = ("train", "test")
WHOLE = "data"
"""The name of a set that is yet to be split."""


class SplitTables:
    """Writes `train.parquet` and `test.parquet`, and `train_noisy.parquet`, `test_noisy.parquet`
    where images have noisy twins."""

    def __init__(
        self,
        folder: Path,
        width: int,
        labelled: Mapping[str, bool],
        *,
        noisy: bool,
        seed: int,
        test_fraction: float,
    ) -> None:
        """Begin all tables.

        Args:
            folder: Where they go.
            width: Values per image.
            labelled: By name of a set (`train` and `test`, or `data`), whether it has labels.
            noisy: Whether images have noisy twins.
            seed: Decides the side of each image of `data`.
            test_fraction: The share of `data` that becomes test images.
        """
        self._drawn = (seed, test_fraction)
        self._stack = contextlib.ExitStack()
        self._labelled = {
            split: labelled[split if split in labelled else WHOLE] for split in SPLITS
        }
        kinds = {"": self._labelled, **({"_noisy": dict.fromkeys(SPLITS, False)} if noisy else {})}
        self._writers = {
            split + kind: self._stack.enter_context(
                ImageTableWriter(folder / f"{split}{kind}.parquet", width, labelled=has[split])
            )
            for kind, has in kinds.items()
            for split in SPLITS
        }
        self._prints: dict[str, list[NDArray[np.uint64]]] = {split: [] for split in SPLITS}
        self._labels: dict[str, list[NDArray[np.uint32]]] = {split: [] for split in SPLITS}

    def write(
        self,
        name: str,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.uint32] | None,
        noisy: NDArray[np.uint8] | None,
    ) -> None:
        """Append images of the set `name`, uint8 (n, width), their labels (n,) and twins."""
        prints = fingerprints(pixels)
        if name != WHOLE:
            self._append(name, pixels, labels, noisy, prints)
            return
        test = drawn_for_test(prints, *self._drawn)
        for split, chosen in (("train", ~test), ("test", test)):
            self._append(
                split, pixels[chosen], None if labels is None else labels[chosen],
                None if noisy is None else noisy[chosen], prints[chosen],
            )  # fmt: skip

    def _append(
        self,
        split: str,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.uint32] | None,
        noisy: NDArray[np.uint8] | None,
        prints: NDArray[np.uint64],
    ) -> None:
        self._writers[split].write(pixels, labels)
        if noisy is not None:
            self._writers[f"{split}_noisy"].write(noisy, None)
        self._prints[split].append(prints)
        if labels is not None:
            self._labels[split].append(labels)

    def contents(self) -> dict[str, Contents]:
        """Return what was written so far, by split."""
        return {
            split: Contents(
                np.concatenate([np.empty(0, np.uint64), *self._prints[split]]),
                np.concatenate([np.empty(0, np.uint32), *self._labels[split]])
                if self._labelled[split]
                else None,
            )
            for split in SPLITS
        }

    def finish(self, shape: tuple[int, int, int], classes: list[str] | None) -> None:
        """Complete all tables."""
        for name, writer in self._writers.items():
            split = name.removesuffix("_noisy")
            named = classes if self._labelled[split] and name == split else None
            writer.finish(shape, named)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self._stack.__exit__(kind, error, trace)
