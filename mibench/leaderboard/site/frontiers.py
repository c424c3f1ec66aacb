"""Frontiers of dictionaries: a metric over L0, one line a family, drawn by the page itself."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mibench.leaderboard.families import Family
from mibench.leaderboard.family_view import FamilyTable
from mibench.leaderboard.seeds import interval
from mibench.leaderboard.site.axis import BOTTOM, LEFT, RIGHT, TOP, Axis, fitted, with_bars
from mibench.leaderboard.site.curve import Drawing, Line, svg_points
from mibench.leaderboard.text import number, plain
from mibench.metrics.sae.family import Point

READING = (
    "Large points are means over seeds, small ones single dictionaries, bars 95 % intervals (over seeds, if there are "
    "several). Families stand a little beside each other, so that their bars can be told apart."
)
_MOST_COLUMNS = 4
"""Pictures of one table."""
_BELOW = "L0: latents active a token, log scale"
_ASIDE = 4.0
"""Between families of equal L0."""


@dataclass(frozen=True)
class _Mean:
    """Dictionaries of one recipe: mean L0 (geometric) and value, and the interval."""

    l0: float
    value: float
    low: float | None
    high: float | None
    words: str


def frontiers(table: FamilyTable, method: str = "") -> list[tuple[str, Drawing]]:
    """Return a drawing for each of a table's first columns, with its title.

    Args:
        table: Families of a group.
        method: Name of a method: its families are coloured, the others are faint. Empty: all are coloured.
    """
    found = []
    for column, arrow in list(zip(table.columns, table.arrows, strict=True))[:_MOST_COLUMNS]:
        # By name, so that a family has one look in all tables.
        ordered = sorted((row.family for row in table.rows), key=lambda family: family.label)
        members = [(family, _usable(family, column.metric)) for family in ordered]
        drawn = _drawing([(family, points) for family, points in members if points], column.digits, method)
        found += [] if drawn is None else [(f"{column.title} {arrow}".strip(), drawn)]
    return found


def _usable(family: Family, metric: str) -> list[Point]:
    return [one for one in family.points(metric) if one.value.value is not None and one.l0 > 0]


def _drawing(members: Sequence[tuple[Family, list[Point]]], digits: int, method: str) -> Drawing | None:
    points = [one for _, own in members for one in own]
    if len({one.l0 for one in points}) < 2:
        return None
    across = fitted([one.l0 for one in points], LEFT, RIGHT, log=True)
    ends = [end for one in points for end in (one.value.ci_low, one.value.ci_high)]
    up = fitted(with_bars([one.number for one in points], ends), BOTTOM, TOP)
    aside = [_ASIDE * (place - (len(members) - 1) / 2) for place in range(len(members))]
    shown = [_shown(family, method) for family, _ in members]
    hues = {place: hue for hue, place in enumerate(place for place, own in enumerate(shown) if own)}
    lines = [
        replace(_line(own, (across, up), digits, aside[place]), name=plain(family.label), hue=hues.get(place))
        for place, (family, own) in enumerate(members)
    ]
    # What is faint comes first, since what comes later is drawn over it.
    faint = [replace(line, faint=True, bars=(), small=()) for line, own in zip(lines, shown, strict=True) if not own]
    clear = [line for line, own in zip(lines, shown, strict=True) if own]
    return Drawing((*faint, *clear), across.ticks, up.ticks, None, None, _BELOW, dots=True)


def _shown(family: Family, method: str) -> bool:
    return not method or any(record.cell.method.name == method for record in family.records)


def _line(points: Sequence[Point], axes: tuple[Axis, Axis], digits: int, aside: float) -> Line:
    across, up = axes
    means = sorted(_means(points, digits), key=lambda one: one.l0)

    def x(l0: float) -> float:
        return round(across.at(l0) + aside, 1)

    places = tuple((x(one.l0), up.at(one.value), one.words) for one in means)
    known = [(one.l0, one.low, one.high) for one in means]
    bars = tuple((x(l0), up.at(low), up.at(high)) for l0, low, high in known if low is not None and high is not None)
    small = tuple((x(one.l0), up.at(one.number)) for one in points) if len(points) > len(means) else ()
    return Line("", svg_points([place[:2] for place in places]), "", places, bars, small)


def _means(points: Sequence[Point], digits: int) -> list[_Mean]:
    recipes: dict[str, list[Point]] = defaultdict(list)
    for one in points:
        recipes[one.recipe].append(one)
    return [_mean(own, digits) for own in recipes.values()]


def _mean(points: Sequence[Point], digits: int) -> _Mean:
    l0 = math.exp(math.fsum(math.log(one.l0) for one in points) / len(points))
    value, low, high = points[0].number, points[0].value.ci_low, points[0].value.ci_high
    over = ""
    if len(points) > 1:
        value, low, high = interval(one.number for one in points)
        over = f", mean of {len(points)} seeds"
    ends = "" if low is None or high is None else f" [{number(low, digits)}, {number(high, digits)}]"
    return _Mean(l0, value, low, high, f"L0 {l0:.3g}: {number(value, digits)}{ends}{over}")
