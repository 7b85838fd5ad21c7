"""How methods are told apart in all figures: the same one looks the same everywhere."""

from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito (2008), without the yellow, which fades on white; told apart with every common
colour blindness."""
STYLES = ("-", "--", "-.", ":")
"""Line styles, for print in greyscale; four styles and seven colours make 28 distinct lines."""


def line_style(index: int) -> dict[str, Any]:
    """Return colour and line style of the method at a place of the list of methods."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": STYLES[index % len(STYLES)]}
