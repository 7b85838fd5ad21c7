"""Images as 64-bit numbers: equal images have equal ones, others practically never."""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Fingerprints = NDArray[np.uint64]

AT_A_TIME = 1 << 18
"""Bytes of images that are mixed at a time, so that what is in between stays in the cache."""
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xBF58476D1CE4E5B9)
FINAL = np.uint64(0x94D049BB133111EB)
"""Odd numbers of SplitMix64, whose steps spread every bit over all 64."""
HALF, DOWN = np.uint64(32), np.uint64(29)


def fingerprints(pixels: Bytes) -> Fingerprints:
    """Compute one number per image that depends on every byte and its place.

    Among a million different images, two share a number with a probability of 3e-8.

    Args:
        pixels: uint8, shape (n, width).

    Returns:
        uint64 (n,), the same on every machine.
    """
    count, width = pixels.shape
    words = -(-width // 8)
    padded = np.ascontiguousarray(pixels)
    if width % 8:
        padded = np.zeros((count, 8 * words), np.uint8)
        padded[:, :width] = pixels
    table = padded.view("<u8")  # (n, words)
    keys = _mixed(GOLDEN * np.arange(1, words + 1, dtype=np.uint64))
    found = np.empty(count, np.uint64)
    step = max(1, AT_A_TIME // (8 * words))
    for start in range(0, count, step):
        # Each word is mixed with its place, one to one, before they are added: a sum of products
        # would lose the high bits of the words
        mixed = table[start : start + step] ^ keys
        mixed ^= mixed >> HALF
        mixed *= MIX  # wraps around, as everywhere here
        mixed ^= mixed >> DOWN
        found[start : start + step] = mixed.sum(axis=1, dtype=np.uint64)
    return _mixed(found)


def drawn_for_test(images: Fingerprints, seed: int, fraction: float) -> NDArray[np.bool_]:
    """Say which images are test images: a share of about `fraction`, drawn by seed and content.

    Args:
        images: uint64 (n,), the fingerprints.
        seed: Another seed draws others.
        fraction: From 0 to 1.

    Returns:
        bool (n,). Of an image it does not depend on what else there is.
    """
    drawn = _mixed(images ^ _mixed(np.array([seed], np.uint64) + GOLDEN))
    uniform: NDArray[np.float64] = (drawn >> np.uint64(11)).astype(np.float64) / 2.0**53
    return uniform < fraction


def _mixed(values: Fingerprints) -> Fingerprints:
    values = (values ^ (values >> np.uint64(30))) * MIX
    values = (values ^ (values >> np.uint64(27))) * FINAL
    return values ^ (values >> np.uint64(31))
