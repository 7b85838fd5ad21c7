"""The border that images get whose sides cannot be halved twice."""

HALVED = 4
"""What height and width are divided by in the middle of a network."""
NO_BORDER = ((0, 0), (0, 0))


def border_of(side: int) -> tuple[int, int]:
    """Return how many zeros go before and behind a side, to make it a multiple of 4."""
    missing = -side % HALVED
    return missing // 2, missing - missing // 2
