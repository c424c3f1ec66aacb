"""One number as it is shown: text, interval, and what a reader sees on pointing at it."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.leaderboard.text import number
from mibench.records.record import MetricValue

MISSING = "—"


@dataclass(frozen=True)
class CellView:
    """One number: text, interval, rank in its column, and what a reader sees on pointing at it.

    What is exact has no interval. ``value`` is the number itself, to sort by; ``sunk`` says that it is not separable
    from its floor.
    """

    text: str
    title: str
    interval: str = ""
    rank: str = ""
    exact: bool = False
    value: float | None = None
    sunk: bool = False

    @property
    def missing(self) -> bool:
        """Whether there is no number."""
        return self.text == MISSING


def span(low: float, high: float, digits: int) -> str:
    """Return an interval as text."""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def interval_title(value: MetricValue) -> str:
    """Return what the interval of a number varies over, or why it has none."""
    if value.ci_source is None:
        return f"no interval: {value.ci_reason or 'none was recorded'}"
    size = "" if value.n is None else f", n = {value.n}"
    return f"95 % interval over {value.ci_source}{size}"
