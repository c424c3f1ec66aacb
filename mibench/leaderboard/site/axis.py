"""One axis of a drawing: where a number stands, and which round numbers are named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEFT, RIGHT, TOP, BOTTOM = 60.0, 606.0, 14.0, 276.0
"""The frame of every drawing, in its own units."""
_STEPS = 5
_MOST_TICKS = 8
_ROOM = 0.05
_FLATTEST = 1e-9


@dataclass(frozen=True)
class Axis:
    """An axis, linear or logarithmic.

    Attributes:
        low: Number at ``start``.
        high: Number at ``end``.
        start: Place of the lowest number.
        end: Place of the highest.
        log: Whether places go by the logarithm.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return the place of a number; one beyond the axis stands at its end."""
        inside = min(max(value, self.low), self.high)
        low, high, own = (math.log(each) if self.log else each for each in (self.low, self.high, inside))
        return round(self.start + (own - low) / (high - low) * (self.end - self.start), 1)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Places and texts of round numbers on the axis."""
        values = log_steps(self.low, self.high) if self.log else round_steps(self.low, self.high)
        return tuple((self.at(value), f"{value:,.6g}".replace("-", "−")) for value in values)


def fitted(values: Sequence[float], start: float, end: float, *, log: bool = False) -> Axis:
    """Return an axis that holds the values, with a little room at both ends.

    Args:
        values: At least one; all above 0 on a logarithmic axis.
        start: Place of the lowest number.
        end: Place of the highest.
        log: Whether places go by the logarithm.
    """
    low, high = min(values), max(values)
    if log:
        share = max((high / low) ** _ROOM, 1.15)
        return Axis(low / share, high * share, start, end, log=True)
    room = _ROOM * (high - low) or abs(high) / 10 or 1.0
    return Axis(low - room, high + room, start, end)


def with_bars(values: Sequence[float], ends: Sequence[float | None]) -> list[float]:
    """Return the values, and ends of intervals as far as half the values' own span: a wide bar leaves the frame."""
    low, high = min(values), max(values)
    reach = (high - low) / 2
    return [*values, *(min(max(end, low - reach), high + reach) for end in ends if end is not None)]


def round_steps(low: float, high: float) -> list[float]:
    """Return round numbers from low to high, some five of them."""
    rough = max(high - low, _FLATTEST) / _STEPS
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * decade for factor in (1, 2, 2.5, 5, 10) if factor * decade >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(place * step, 10) + 0.0 for place in range(first, last + 1)]


def log_steps(low: float, high: float) -> list[float]:
    """Return round numbers from low to high for a logarithmic axis, few enough to be read."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [value for decade in decades for step in factors if low <= (value := step * 10.0**decade) <= high]
        if len(found) <= _MOST_TICKS:
            return found if len(found) > 2 else [value for value in round_steps(low, high) if value > 0]
    return found[:: math.ceil(len(found) / _MOST_TICKS)]
