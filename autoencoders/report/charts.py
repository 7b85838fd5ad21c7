"""Line charts as SVG that follow the colours of the page they stand in, light or dark."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 34, 46
"""Room for the labels of the axes, in the units of the drawing."""
COLOURS = 8
"""Colours of lines that the page defines; from then on they repeat, dashed otherwise."""
DASHES = ("", "7 4", "2 3", "9 3 2 3")
FEW = 12
"""Points up to which each is marked."""


@dataclass(frozen=True)
class Line:
    """One line of a chart; points that are not finite are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    """Lower ends of an interval around each point; none without intervals."""
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Axis:
    """One axis: which part of the drawing shows which values."""

    label: str
    low: float
    high: float
    start: float
    """Where `low` is, in the units of the drawing."""
    end: float
    logarithmic: bool = False
    whole: bool = False
    """Whether all values are whole numbers: there is no half epoch."""

    def place(self, value: float) -> float:
        """Return where a value is drawn."""
        low, high, here = self.low, self.high, value
        if self.logarithmic:
            low, high, here = math.log(low), math.log(high), math.log(value)
        share = (here - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Return round values along the axis, four to ten of them."""
        return _log_ticks(self) if self.logarithmic else _linear_ticks(self)


def line_chart(
    lines: Sequence[Line], *, title: str, x: str, y: str, logarithmic: bool = False,
    marked: float | None = None,
) -> Markup:  # fmt: skip
    """Draw lines over a common axis.

    Args:
        lines: At most a dozen or so.
        title: What a screen reader says of the drawing.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        logarithmic: Whether the vertical axis is; used only where all values are above 0.
        marked: Where a vertical line is drawn.

    Returns:
        An SVG and its legend; a sentence where there is nothing to draw.
    """
    points = [_finite(line) for line in lines]
    across = [at for one in points for at, *_ in one]
    along = [value for one in points for _, *values in one for value in values]
    if not across:
        return Markup("<p>There is nothing to draw: no value is a finite number.</p>")
    logarithmic = logarithmic and min(along) > 0
    horizontal = _axis(x, across, LEFT, WIDTH - RIGHT, margin=0)
    vertical = _axis(y, along, HEIGHT - BOTTOM, TOP, margin=0.04, logarithmic=logarithmic)
    parts = [*_grid(horizontal, vertical)]
    if marked is not None and horizontal.low <= marked <= horizontal.high:
        at = horizontal.place(marked)
        parts.append(_tag("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, class_="marked"))
    for number, one in enumerate(points):
        parts += _draw(one, number, horizontal, vertical)
    drawing = Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, HEIGHT, title, Markup("").join(parts))
    return drawing + _legend([line.name for line in lines])


def _finite(line: Line) -> list[tuple[float, ...]]:
    """Return the points that can be drawn: x, y and, where there are intervals, their ends."""
    columns = [line.x, line.y, *((line.low, line.high) if len(line.low) else ())]
    return [row for row in zip(*columns, strict=True) if all(map(math.isfinite, row))]


def _axis(
    label: str, values: Sequence[float], start: float, end: float, *, margin: float,
    logarithmic: bool = False,
) -> Axis:  # fmt: skip
    low, high = min(values), max(values)
    if logarithmic:
        return Axis(label, low / 1.1, high * 1.1, start, end, logarithmic=True)
    room = (high - low) * margin or (0.5 if low == high else 0)
    whole = all(float(value).is_integer() for value in values)
    return Axis(label, low - room, high + room, start, end, whole=whole)


def _linear_ticks(axis: Axis) -> list[float]:
    rough = (axis.high - axis.low) / 6
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    step = max(1.0, step) if axis.whole else step
    first = math.ceil(axis.low / step)
    return [number * step for number in range(first, math.floor(axis.high / step) + 1)]


def _log_ticks(axis: Axis) -> list[float]:
    """Return powers of ten and, where these are few, some of their multiples."""
    powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in found if axis.low <= value <= axis.high]
        if len(inside) >= 4:
            break
    return inside


def _grid(horizontal: Axis, vertical: Axis) -> Iterable[Markup]:
    floor = HEIGHT - BOTTOM
    for value in horizontal.ticks():
        at = horizontal.place(value)
        yield _tag("line", x1=at, x2=at, y1=TOP, y2=floor, class_="grid")
        yield _text(f"{value:,.6g}", x=at, y=floor + 17, anchor="middle")
    for value in vertical.ticks():
        at = vertical.place(value)
        yield _tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid")
        yield _text(f"{value:,.6g}", x=LEFT - 7, y=at + 4, anchor="end")
    yield _text(horizontal.label, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 8, anchor="middle")
    # Above the axis: beside it, it would meet the numbers in the large print of a phone
    yield _text(vertical.label, x=4, y=20, anchor="start")


def _draw(
    points: Sequence[tuple[float, ...]], number: int, horizontal: Axis, vertical: Axis
) -> Iterable[Markup]:
    colour = f"c{number % COLOURS}"
    if points and len(points[0]) == 4:
        above = [(horizontal.place(at), vertical.place(high)) for at, _, _, high in points]
        below = [(horizontal.place(at), vertical.place(low)) for at, _, low, _ in points]
        yield _tag("polygon", points=_joined([*above, *reversed(below)]), class_=f"band {colour}")
    placed = [(horizontal.place(at), vertical.place(value)) for at, value, *_ in points]
    yield _tag("polyline", points=_joined(placed), class_=f"line {colour}",
               stroke_dasharray=_dash(number))  # fmt: skip
    if len(placed) <= FEW:
        for across, along in placed:
            yield _tag("circle", cx=across, cy=along, r=3, class_=f"dot {colour}")


def _legend(names: Sequence[str]) -> Markup:
    entries = [
        Markup(
            '<li><svg viewBox="0 0 26 8" aria-hidden="true"><line x1="0" x2="26" y1="4" y2="4" '
            'class="line c{}" stroke-dasharray="{}"/></svg>{}</li>'
        ).format(number % COLOURS, _dash(number), name)
        for number, name in enumerate(names)
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(entries))


def _dash(number: int) -> str:
    return DASHES[number % len(DASHES)]


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{across:g},{along:g}" for across, along in points)


def _tag(name: str, **attributes: object) -> Markup:
    written = [
        Markup('{}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value != ""
    ]
    return Markup("<{} {}/>").format(name, Markup(" ").join(written))


def _text(text: str, *, x: float, y: float, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, text)
