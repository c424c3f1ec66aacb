"""A record's curves as a small drawing of the page itself: it takes the page's colours, light or dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mibench.records.record import CurvePoint

WIDTH, HEIGHT = 620.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 606.0, 14.0, 276.0
_SMALLEST = 1e-4
_STEPS = 5
_FLATTEST = 1e-6
Place = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve: points of the line, outline of its band, as SVG lists of points, and each point with its words."""

    name: str
    line: str
    band: str
    points: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class Drawing:
    """A chart: its lines, and ticks as places and texts.

    Attributes:
        lines: The curves.
        across: Ticks of circuit sizes.
        up: Ticks of the quantity.
        zero: Height of 0.
        one: Height of 1; None where it means nothing.
    """

    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    zero: float
    one: float | None


@dataclass(frozen=True)
class _Frame:
    """The axes: circuit sizes on a log scale, heights on a linear one."""

    smallest: float
    low: float
    high: float

    def x(self, fraction: float) -> float:
        share = 1 - math.log(max(fraction, self.smallest)) / math.log(self.smallest)
        return round(_LEFT + share * (_RIGHT - _LEFT), 1)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)


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
    up = tuple((frame.y(value), f"{value:g}".replace("-", "−")) for value in _heights(frame))
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
    return Line(name, _svg([(x, y) for x, y, _ in places]), _svg([*upper, *reversed(lower)]), tuple(places))


def _words(point: CurvePoint) -> str:
    ends = "" if point.ci_low is None or point.ci_high is None else f" [{point.ci_low:.3f}, {point.ci_high:.3f}]"
    return f"{100 * point.fraction:g} % of edges: {point.value:.3f}{ends}"


def _svg(places: Sequence[Place]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def _sizes(smallest: float) -> list[float]:
    decades = range(math.floor(math.log10(smallest)), 1)
    return [size for decade in decades for step in (1, 2, 5) if smallest * 0.999 <= (size := step * 10.0**decade) <= 1]


def _heights(frame: _Frame) -> list[float]:
    """Round heights inside the frame, some five of them."""
    rough = (frame.high - frame.low) / _STEPS
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * decade for factor in (1, 2, 2.5, 5, 10) if factor * decade >= rough)
    first, last = math.ceil(frame.low / step), math.floor(frame.high / step)
    return [round(place * step, 10) + 0.0 for place in range(first, last + 1)]
