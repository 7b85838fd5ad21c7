"""Which training images are held out for validation; a module that needs no TensorFlow."""

import numpy as np
from numpy.typing import NDArray

from autoencoders.errors import PipelineError
from autoencoders.randomness import generator

Indices = NDArray[np.int64]


def split_validation(count: int, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Draw which images are held out for validation.

    Args:
        count: Number of training images.
        fraction: Share held out, in (0, 1).
        seed: The run's seed; equal arguments give the same split.

    Returns:
        Indices to train on and indices to validate on, each sorted; together every image once.

    Raises:
        PipelineError: If one of the two would be empty.
    """
    held_out = round(count * fraction)
    if not 0 < held_out < count:
        raise PipelineError(
            f"Train data of {count:,} image{'s' if count > 1 else ''}, split with a validation "
            f"fraction of {fraction:g}, leave {count - held_out:,} to train on and {held_out:,} to "
            "validate on; each needs at least one.",
            _advice(count),
        )
    order = generator(seed, "validation").permutation(count)
    # Sorted, so that validation reads a memory-mapped file from front to back
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _advice(count: int) -> str:
    if count < 2:
        return "Add images to the train data: two are the fewest, some thousands are usual."
    return "Add images to the train data, or set --training.validation_fraction to 0.5."
