"""Compare images before and after denoising: a sheet of them, and how strong their noise was."""

from collections.abc import Sequence
from pathlib import Path

from autoencoders.images.noise_level import noise_level
from tasks.denoise import Seen
from tasks.drawing import drawing_defaults
from tasks.engine.handles import FunctionRef
from tasks.formats.drafts import replacing

SHOWN = 10
"""Images on the sheet."""
SMALLEST = 3
"""Pixels per side of an image whose noise can be estimated."""


def compare_images(found: Sequence[Seen], sheet: Path, corrupt: FunctionRef | None) -> float | None:
    """Draw images before and after, and estimate their noise.

    Args:
        found: What was seen of some files.
        sheet: The PNG file that is drawn.
        corrupt: The noise that the network was trained for; None if it is not known.

    Returns:
        The strength of their noise, as the training would call it; None without `corrupt`.
    """
    before = [image for one in found for image in one.before]
    after = [image for one in found for image in one.after]
    with drawing_defaults():
        from autoencoders.figures.image_rows import image_rows

        step = max(1, len(before) // SHOWN)
        rows = {"before": before[::step][:SHOWN], "after": after[::step][:SHOWN]}
        figure = image_rows(rows, title="Before and after")
        with replacing(sheet) as file:
            figure.savefig(file, dpi=150, format="png", metadata={"Software": None})
    large = [at for at, image in enumerate(before) if min(image.shape[:2]) >= SMALLEST]
    if corrupt is None or not large:
        return None
    return noise_level([before[at] for at in large], [after[at] for at in large], corrupt.load())
