"""A record's curves as a small drawing of the page itself: it takes the page's colours, light or dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mibench.leaderboard.site.axis import BOTTOM, LEFT, RIGHT, TOP, round_steps
from mibench.records.record import CurvePoint

WIDTH, HEIGHT = 620.0, 320.0
_SMALLEST = 1e-4
_FLATTEST = 1e-6

Place = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: Of what it is.
        line: Its points, as SVG lists them.
        band: Outline of its band, as SVG lists points.
        points: Each point with its words.
        bars: Intervals of points: place across, lower and upper end.
        small: Further points that are not on the line.
        faint: Whether it stands behind the others.
        hue: Number of its look; None: its place among the curves.
    """

    name: str
    line: str
    band: str
    points: tuple[tuple[float, float, str], ...]
    bars: tuple[tuple[float, float, float], ...] = ()
    small: tuple[Place, ...] = ()
    faint: bool = False
    hue: int | None = None


@dataclass(frozen=True)
class Drawing:
    """A chart: its lines, and ticks as places and texts.

    Attributes:
        lines: The curves.
        across: Ticks of sizes.
        up: Ticks of the quantity.
        zero: Height of 0; None where it is not marked.
        one: Height of 1; None where it means nothing.
        below: What the axis of sizes is.
        dots: Whether points of many lines are drawn, too.
    """

    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    zero: float | None
    one: float | None
    below: str = "circuit size: % of edges kept, log scale"
    dots: bool = False


@dataclass(frozen=True)
class _Frame:
    """The axes: circuit sizes on a log scale, heights on a linear one."""

    smallest: float
    low: float
    high: float

    def x(self, fraction: float) -> float:
        share = 1 - math.log(max(fraction, self.smallest)) / math.log(self.smallest)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(BOTTOM - share * (BOTTOM - TOP), 1)


def drawing(curves: Mapping[str, Sequence[CurvePoint]], *, share: bool = True) -> Drawing | None:
    """Return the chart of curves by their names; None where no point has a height.

    Args:
        curves: Points by name.
        share: Whether 1 is what the whole model has.
    """
    drawn = {name: [point for point in points if point.value is not None] for name, points in curves.items()}
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return None
    frame = _frame([point for points in drawn.values() for point in points], (0.0, 1.0) if share else (0.0,))
    lines = tuple(_line(name, points, frame) for name, points in drawn.items())
    across = tuple((frame.x(size), f"{100 * size:g}") for size in _sizes(frame.smallest))
    up = tuple((frame.y(value), f"{value:g}".replace("-", "−")) for value in round_steps(frame.low, frame.high))
    return Drawing(lines, across, up, frame.y(0.0), frame.y(1.0) if share else None)


def _frame(points: Sequence[CurvePoint], ends: Sequence[float]) -> _Frame:
    """Limits that hold the ends and the curves, and bands as far as half the curves' own span."""
    values = [*ends, *(point.value for point in points if point.value is not None)]
    low, high = min(values), max(values)
    high = max(high, low + _FLATTEST)
    reach = (high - low) / 2
    bands = [end for point in points for end in (point.ci_low, point.ci_high) if end is not None]
    low, high = max(min([low, *bands]), low - reach), min(max([high, *bands]), high + reach)
    room = 0.04 * (high - low)
    smallest = min((point.fraction for point in points if point.fraction > 0), default=_SMALLEST)
    return _Frame(max(min(smallest, 0.1), _SMALLEST), low - room, high + room)


def _line(name: str, points: Sequence[CurvePoint], frame: _Frame) -> Line:
    ordered = sorted((point for point in points if point.fraction > 0), key=lambda point: point.fraction)
    places = [(frame.x(point.fraction), frame.y(point.value or 0.0), _words(point)) for point in ordered]
    known = [(point, point.ci_low, point.ci_high) for point in ordered]
    upper = [(frame.x(one.fraction), frame.y(high)) for one, _, high in known if high is not None]
    lower = [(frame.x(one.fraction), frame.y(low)) for one, low, _ in known if low is not None]
    return Line(name, svg_points([(x, y) for x, y, _ in places]), svg_points([*upper, *reversed(lower)]), tuple(places))


def _words(point: CurvePoint) -> str:
    ends = "" if point.ci_low is None or point.ci_high is None else f" [{point.ci_low:.3f}, {point.ci_high:.3f}]"
    return f"{100 * point.fraction:g} % of edges: {point.value:.3f}{ends}"


def svg_points(places: Sequence[Place]) -> str:
    """Return points as SVG lists them."""
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def _sizes(smallest: float) -> list[float]:
    decades = range(math.floor(math.log10(smallest)), 1)
    return [size for decade in decades for step in (1, 2, 5) if smallest * 0.999 <= (size := step * 10.0**decade) <= 1]
