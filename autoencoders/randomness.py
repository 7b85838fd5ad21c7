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
    # SHA-256 rather than hash(), which differs from one Python process to the next
    text = "/".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the random generator for one purpose, independent of those for all others.

    Args:
        seed: The run's seed.
        *purpose: What the randomness is for; see `derived_seed`.

    Returns:
        A new generator at the start of its stream: one stream per purpose.
    """
    return np.random.default_rng(derived_seed(seed, *purpose))
