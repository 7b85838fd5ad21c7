"""What the columns of a table of images are, once that is known."""

from dataclasses import dataclass

from autoencoders.images.shape import Shape

Decision = tuple[str, str, str]
"""What was decided, why, and the option that decides otherwise."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table of images: some others, the pixels of an image, some others."""

    width: int
    """Values per image; of images in one cell, as many as the first one has."""
    lead: int = 0
    """Columns before the pixels."""
    trail: int = 0
    """Columns behind the pixels."""
    label: int | None = None
    """Which column holds the label, counted from 0 over all columns."""
    onehot: int = 0
    """Columns at the end of which exactly one is 1; they are the label."""
    index: int | None = None
    """Which column counts the rows."""
    row_names: int | None = None
    """Which column names the rows."""
    row_numbers: bool = False
    """Whether the first column has numbers for names, in whatever order."""
    cell: int | None = None
    """Which column holds all pixels of an image; `lead` and `trail` count the others then."""
    words: bool = False
    """Whether labels are text."""
    shape: Shape | None = None
    """The shape of an image, if the column names say it."""
    order: tuple[int, ...] | None = None
    """Which of the columns of an image holds its first pixel, which its second, and so on; None if
    they stand in order."""
    decisions: tuple[Decision, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether there are labels."""
        return self.label is not None or self.onehot > 0

    @property
    def total(self) -> int:
        """Cells per row."""
        return self.lead + self.trail + (1 if self.cell is not None else self.width)
