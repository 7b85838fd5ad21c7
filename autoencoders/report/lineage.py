"""A drawing of which step read what, from left to right."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

BOX_WIDTH, BOX_HEIGHT = 158, 26
STEP_X, STEP_Y = 196, 34
"""From one box to the next."""
MARGIN = 6
LONGEST = 22
"""Characters of a name that fit into a box."""


def lineage_drawing(reads: Mapping[str, Sequence[str]], data: Sequence[str]) -> Markup:
    """Draw boxes, and a line from each to every one that reads it.

    Args:
        reads: By step, in order, the steps or data that it reads; each stands before it.
        data: What nobody made.

    Returns:
        An SVG, each box as far to the left as what it reads allows.
    """
    column = dict.fromkeys(data, 0)
    for step, sources in reads.items():
        column[step] = 1 + max((column[source] for source in sources), default=0)
    rows: dict[int, int] = {}
    places = {}
    for name, number in column.items():
        row = rows.get(number, 0)
        rows[number] = row + 1
        places[name] = (MARGIN + number * STEP_X, MARGIN + row * STEP_Y)
    width = 2 * MARGIN + max(column.values(), default=0) * STEP_X + BOX_WIDTH
    height = 2 * MARGIN + (max(rows.values(), default=1) - 1) * STEP_Y + BOX_HEIGHT
    arrows = [
        _arrow(places[source], places[step])
        for step, sources in reads.items()
        for source in sources
    ]
    boxes = [_box(name, *place, is_data=name in data) for name, place in places.items()]
    return Markup(
        '<svg class="lineage" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" '
        'aria-label="Which step read what; the table below says the same">{2}{3}</svg>'
    ).format(width, height, Markup("").join(arrows), Markup("").join(boxes))


def _arrow(source: tuple[int, int], target: tuple[int, int]) -> Markup:
    x1, y1 = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT / 2
    x2, y2 = target[0], target[1] + BOX_HEIGHT / 2
    bend = (STEP_X - BOX_WIDTH) * 0.8
    return Markup('<path d="M{:g} {:g}C{:g} {:g} {:g} {:g} {:g} {:g}"/>').format(
        x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2
    )


def _box(name: str, x: int, y: int, *, is_data: bool) -> Markup:
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return Markup(
        '<g><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="{}"/>'
        '<text x="{}" y="{}" text-anchor="middle">{}</text></g>'
    ).format(name, x, y, BOX_WIDTH, BOX_HEIGHT, 13 if is_data else 4, x + BOX_WIDTH / 2, y + 17.5,
             short)  # fmt: skip
