"""Images that are in two sets, pixel by pixel."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.fingerprint import fingerprints
from autoencoders.images.pixels import to_bytes


def copies(
    images: Iterable[NDArray[np.float32]], of: Iterable[NDArray[np.float32]]
) -> NDArray[np.bool_]:
    """Say of each image whether it is in another set too.

    Args:
        images: Batches of images, (m, h, w, c) each, of bytes that were divided by 255; at least
            one.
        of: Batches of the other set's images.

    Returns:
        bool (n,), one for each of `images`.
    """
    mine, others = (
        np.concatenate([fingerprints(to_bytes(batch)) for batch in one]) for one in (images, of)
    )
    found: NDArray[np.bool_] = np.isin(mine, others)
    return found
