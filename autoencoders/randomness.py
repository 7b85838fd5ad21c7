"""One seed in the settings; every use derives its own stream from (seed, purpose)."""

import hashlib

import numpy as np


def derived_seed(seed: int, *purpose: str | int) -> int:
    """Derive a seed from a run's seed and a purpose.

    Args:
        seed: The run's seed.
        *purpose: What the randomness is for, e.g. `"noise", "train"`.

    Returns:
        An integer in [0, 2**31), the range Keras accepts; equal arguments give equal integers on
        every machine.
    """
    text = "/".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the random generator of one purpose, independent of every other purpose's."""
    return np.random.default_rng(derived_seed(seed, *purpose))
