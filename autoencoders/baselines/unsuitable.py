"""How a method says that it is not made for some images or noise."""

LARGEST = 3072
"""Numbers per image, as of 32 x 32 in colour, up to which a method may compare each with each: the
memory grows with their square, the time with their cube."""


class UnsuitableError(Exception):
    """The method is left out; the text is the reason, as an end of a sentence."""


def require_small(size: int) -> None:
    """Refuse images in which comparing each number with each takes too much.

    Raises:
        UnsuitableError: If images have more than `LARGEST` numbers.
    """
    if size > LARGEST:
        raise UnsuitableError(
            f"since it compares each of the {size:,} numbers of an image with each (at most "
            f"{LARGEST:,})"
        )
