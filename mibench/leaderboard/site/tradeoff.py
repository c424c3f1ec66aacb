"""Quality against cost: every row with both as a point, and the rows that none beats in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mibench.leaderboard.family_view import FamilyTable
from mibench.leaderboard.rows import Row
from mibench.leaderboard.site.axis import BOTTOM, LEFT, RIGHT, TOP, Axis, fitted, with_bars
from mibench.leaderboard.site.curve import svg_points
from mibench.leaderboard.text import count, duration, number
from mibench.leaderboard.view import GroupView
from mibench.records.record import MetricValue, RunRecord

_SPREAD = 30.0
"""Ratio of the largest and the smallest number from which the axis of numbers is logarithmic."""
_SLOT = 44.0
"""Room left of the axis for what costs nothing."""
_FEWEST = 3


@dataclass(frozen=True)
class Offer:
    """What a row gives, and what it takes."""

    name: str
    value: MetricValue
    cost: float


@dataclass(frozen=True)
class CostAxis:
    """A cost to draw.

    Attributes:
        title: Of the picture.
        below: Of its axis.
        least: Cost below which a row stands at the edge.
        edge: What the edge is called on the axis.
        nothing: A cost there as text.
        show: A cost as text.
    """

    title: str
    below: str
    least: float
    edge: str
    nothing: str
    show: Callable[[float], str]


@dataclass(frozen=True)
class Dot:
    """A row: its place, its interval, its words, and its number on the front; 0: it is not there."""

    x: float
    y: float
    low: float
    high: float
    words: str
    number: int


@dataclass(frozen=True)
class Tradeoff:
    """A picture.

    Attributes:
        title: What is against what.
        words: The same for those who do not see it.
        across: Ticks of the cost.
        up: Ticks of the number.
        below: Title of the axis of costs.
        dots: The rows, those on the front last.
        front: Line along the front, as SVG lists points.
        best: Rows of the front, the cheapest first: name, number and cost.
        left_out: Rows without a cost.
    """

    title: str
    words: str
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    below: str
    dots: tuple[Dot, ...]
    front: str
    best: tuple[tuple[str, str, str], ...]
    left_out: int


PASSES = CostAxis("passes", "passes a training example, log scale", 1e-9, "none", "no passes", count)
SECONDS = CostAxis("time", "seconds of the method, log scale", 0.1, "<0.1", "<0.1 s", duration)
TRAINING = CostAxis("training time", "seconds to train a dictionary, log scale", 0.1, "<0.1", "<0.1 s", duration)


def tradeoffs(view: GroupView) -> list[Tradeoff]:
    """Return the pictures of a table's first column: against passes, and against time; of dictionaries, of families."""
    if view.families:
        offers, digits = _of_families(view.families), view.families.columns[0].digits
        title = f"{view.families.columns[0].title} {view.families.arrows[0]}".strip()
        found = [tradeoff(offers, title, TRAINING, digits, len(view.families.rows))]
        return [one for one in found if one is not None]
    ranked = [row for row in view.rows if row.rank.position is not None]
    if not ranked or not view.columns:
        return []
    metric, digits = view.columns[0].metric, view.columns[0].digits
    title = f"{view.heads[0].title} {view.heads[0].arrow}".strip()
    made = []
    for axis, read in ((PASSES, passes), (SECONDS, _seconds)):
        costs = [(row.row, read(row.row)) for row in ranked]
        offers = [Offer(row.label, row.metrics[metric], cost) for row, cost in costs if cost is not None]
        made.append(tradeoff(offers, title, axis, digits, len(ranked)))
    return [one for one in made if one is not None]


def passes(row: Row) -> float | None:
    """Return passes a training example; 0 for a method that needs none, None where it is not recorded."""
    known = row.costs["passes_per_example"]
    return 0.0 if known is None and all(_without_passes(record) for record in row.records) else known


def _without_passes(record: RunRecord) -> bool:
    cost = record.volatile.discovery
    return cost is not None and cost.forward_passes + cost.backward_passes == 0


def _seconds(row: Row) -> float | None:
    return row.costs["seconds"]


def _of_families(table: FamilyTable) -> list[Offer]:
    found = []
    for row, areas in zip(table.rows, table.areas, strict=True):
        known = [one.volatile.discovery for one in row.family.records]
        seconds = [cost.seconds for cost in known if cost is not None]
        if areas[0].metric.value is not None and len(seconds) == len(known):
            found.append(Offer(row.family.label, areas[0].metric, sum(seconds) / len(seconds)))
    return found


def tradeoff(offers: Sequence[Offer], title: str, axis: CostAxis, digits: int, of: int) -> Tradeoff | None:
    """Draw offers; None where fewer than three have a number and a cost, or all cost the same.

    Args:
        offers: Rows with a cost.
        title: Of the number, with its arrow.
        axis: The cost.
        digits: Decimals of the number.
        of: How many rows there are, with and without a cost.
    """
    known = [one for one in offers if one.value.value is not None]
    costly = {one.cost for one in known if one.cost >= axis.least}
    if len(known) < _FEWEST or len({max(one.cost, axis.least) for one in known}) < 2 or not costly:
        return None
    values = [_value(one) for one in known]
    log = min(values) > 0 and max(values) > _SPREAD * min(values)
    ends = [end for one in known for end in (one.value.ci_low, one.value.ci_high)]
    up = fitted(values if log else with_bars(values, ends), BOTTOM, TOP, log=log)
    slot = any(one.cost < axis.least for one in known)
    across = fitted(sorted(costly), LEFT + slot * _SLOT, RIGHT, log=True)
    best = front(known)
    numbers = {id(one): place for place, one in enumerate(best, start=1)}
    drawn = [_dot(one, axis, (across, up), digits, numbers.get(id(one), 0)) for one in known]
    edge = ((LEFT + _SLOT / 4, axis.edge),) if slot else ()
    scale = ", log scale both ways" if log else ""
    told = [(one.name, number(_value(one), digits), _cost(one, axis)) for one in best]
    return Tradeoff(
        title=f"{title} against {axis.title}{scale}",
        words=f"{title} against {axis.title}{scale}. On the Pareto front, the cheapest first: "
        + "; ".join(f"{name}, {value} at {cost}" for name, value, cost in told),
        across=(*edge, *across.ticks),
        up=up.ticks,
        below=axis.below,
        dots=tuple(sorted(drawn, key=lambda dot: dot.number)),
        front=_stairs([dot for dot in sorted(drawn, key=lambda dot: dot.number) if dot.number]),
        best=tuple(told),
        left_out=of - len(known),
    )


def front(offers: Sequence[Offer]) -> list[Offer]:
    """Return the offers that no other beats in number or cost without losing in the other, the cheapest first."""
    found: list[Offer] = []
    for one in sorted(offers, key=lambda offer: (offer.cost, _badness(offer), offer.name)):
        last = found[-1] if found else None
        equal = last is not None and (one.cost, _badness(one)) == (last.cost, _badness(last))
        if last is None or _badness(one) < _badness(last) or equal:
            found.append(one)
    return found


def _badness(offer: Offer) -> float:
    return -_value(offer) if offer.value.higher_is_better else _value(offer)


def _value(offer: Offer) -> float:
    return float("nan") if offer.value.value is None else offer.value.value


def _cost(offer: Offer, axis: CostAxis) -> str:
    if offer.cost < axis.least:
        return axis.nothing
    shown = axis.show(offer.cost)
    return shown if axis is not PASSES else f"{shown} pass{'es' if shown != '1' else ''}"


def _dot(offer: Offer, axis: CostAxis, axes: tuple[Axis, Axis], digits: int, place: int) -> Dot:
    across, up = axes
    value, x = _value(offer), LEFT + _SLOT / 4 if offer.cost < axis.least else across.at(offer.cost)
    low, high = offer.value.ci_low, offer.value.ci_high
    ends = "" if low is None or high is None else f" [{number(low, digits)}, {number(high, digits)}]"
    words = f"{offer.name}: {number(value, digits)}{ends}, {_cost(offer, axis)}"
    return Dot(
        x, up.at(value), up.at(value if low is None else low), up.at(value if high is None else high), words, place
    )


def _stairs(dots: Sequence[Dot]) -> str:
    """The best number that a cost buys: level to the next row of the front, and on to the edge."""
    places = []
    for dot, after in zip(dots, [*dots[1:], None], strict=True):
        places += [(dot.x, dot.y), (RIGHT if after is None else after.x, dot.y)]
    return svg_points(places)
