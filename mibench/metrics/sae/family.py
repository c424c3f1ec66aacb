"""A metric of a family of dictionaries: its frontier area with an interval, over seeds if there are several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.sae.frontier import FULL, Area, Window, areas_in, frontier_area
from mibench.records.record import MetricValue

SEEDS = "seeds"
TOGETHER = "as if all its dictionaries erred alike"
"""Said of an interval that is made of those of single dictionaries."""
_LEVEL = 0.95

Curve = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Point:
    """One dictionary of a family.

    Attributes:
        recipe: What sets its sparsity, such as ``k=32``; dictionaries of one recipe differ in their seed only.
        seed: Its seed; None: it has none, or it is not known.
        l0: Mean number of active latents.
        value: Its value of the metric, with its interval.
    """

    recipe: str
    seed: int | None
    l0: float
    value: MetricValue

    @property
    def number(self) -> float:
        """The value; NaN where there is none."""
        return math.nan if self.value.value is None else self.value.value


@dataclass(frozen=True)
class FamilyArea:
    """A family's frontier area.

    Attributes:
        metric: The area as a metric value: its interval says what varied.
        window: What the area is over.
        sparsities: Different recipes that it rests on.
    """

    metric: MetricValue
    window: Window | None
    sparsities: int


def family_area(points: Sequence[Point], window: Window = FULL) -> FamilyArea:
    """Return the frontier area of a family with its interval.

    Several seeds: the area of each seed over the window that all seeds cover, its mean, and the Student-t interval of
    that mean over seeds; this needs every recipe with every seed. Otherwise recipes are averaged over their seeds (L0
    by its logarithm), and the interval is the area under the lower ends of the dictionaries' own intervals, and under
    the upper ends: all dictionaries of a family are scored on the same examples, so that their errors are not
    independent, and this is the widest that they can come to.

    A dictionary without a value, or with another version of the metric, leaves the family without an area.

    Args:
        points: Dictionaries of one family.
        window: Range of L0; the part that the family covers counts.

    Raises:
        DataError: A number is not usable.
    """
    reason = _why_none(points)
    if reason is not None:
        return _refused(points, Area(None, None, 0, reason))
    mean = frontier_area(*_seed_means(points), low=window.low, high=window.high)
    if mean.value is None or mean.window is None:
        return _refused(points, mean)
    by_seed = _by_seed(points)
    if len(by_seed) > 1:
        return _over_seeds(points, by_seed, window) or _without_interval(points, mean, _UNEVEN)
    return _over_examples(points, mean)


def compare_families(first: Sequence[Point], second: Sequence[Point], window: Window = FULL) -> FamilyArea:
    """Return the first family's frontier area less the second's, both over the window that both cover.

    The interval takes the two as independent: no dictionary of one is paired with one of the other.

    Args:
        first: Dictionaries of one family.
        second: Of the other.
        window: Range of L0.

    Raises:
        DataError: A number is not usable.
    """
    own = [family_area(points, window) for points in (first, second)]
    if own[0].window is None or own[1].window is None or own[0].metric.value is None or own[1].metric.value is None:
        refused = next(one.metric.reason for one in own if one.metric.value is None)
        return _refused(first, Area(None, None, 0, refused))
    common = own[0].window.overlap(own[1].window)
    sparsities = min(one.sparsities for one in own)
    if not common.wide:
        reason = f"the families cover {own[0].window} and {own[1].window}, which share less than an octave"
        return _refused(first, Area(None, None, sparsities, reason))
    return _difference(family_area(first, common), family_area(second, common), common)


def _difference(first: FamilyArea, second: FamilyArea, window: Window) -> FamilyArea:
    ones, sparsities = (first.metric, second.metric), min(first.sparsities, second.sparsities)
    reason = next((one.reason for one in ones if one.value is None), None)
    value = None if reason else math.fsum((ones[0].value or 0.0, -(ones[1].value or 0.0)))
    halves = [(one.ci_high - one.ci_low) / 2 for one in ones if one.ci_low is not None and one.ci_high is not None]
    whole = value is not None and len(halves) == 2
    half = math.hypot(*halves) if whole else 0.0
    found = MetricValue(
        value=value,
        reason=reason,
        ci_low=(value or 0.0) - half if whole else None,
        ci_high=(value or 0.0) + half if whole else None,
        ci_source="both families, unpaired" if whole else None,
        ci_reason=None if whole or value is None else "a family has no interval",
        unit=ones[0].unit,
        higher_is_better=ones[0].higher_is_better,
        version=ones[0].version,
    )
    return FamilyArea(found, window, sparsities)


def _why_none(points: Sequence[Point]) -> str | None:
    missing = next((one for one in points if one.value.value is None), None)
    if missing is not None:
        return f"{missing.recipe}: {missing.value.reason}"
    versions = sorted({one.value.version for one in points})
    return f"its dictionaries have versions {versions} of the metric" if len(versions) > 1 else None


_UNEVEN = "not every sparsity has the same seeds, or single seeds do not cover an octave"


def _seed_means(points: Sequence[Point]) -> Curve:
    """L0 (geometric mean) and value of each recipe over its seeds."""
    recipes: dict[str, list[Point]] = {}
    for one in points:
        recipes.setdefault(one.recipe, []).append(one)
    l0 = [_geometric_mean([one.l0 for one in own]) for own in recipes.values()]
    values = [math.fsum(one.number for one in own) / len(own) for own in recipes.values()]
    return np.array(l0), np.array(values)


def _geometric_mean(numbers: Sequence[float]) -> float:
    """Exact where all numbers are equal."""
    if len(set(numbers)) == 1:
        return numbers[0]
    return math.exp(math.fsum(map(math.log, numbers)) / len(numbers))


def _by_seed(points: Sequence[Point]) -> Mapping[int | None, list[Point]]:
    seeds: dict[int | None, list[Point]] = {}
    for one in points:
        seeds.setdefault(one.seed, []).append(one)
    return seeds


def _over_seeds(
    points: Sequence[Point], by_seed: Mapping[int | None, list[Point]], window: Window
) -> FamilyArea | None:
    """The mean over seeds; None unless every seed has every recipe once, and a frontier with the others."""
    recipes = sorted({one.recipe for one in points})
    if any(sorted(one.recipe for one in own) != recipes for own in by_seed.values()):
        return None
    curves = [_curve(own) for own in by_seed.values()]
    covered = window
    for l0, _ in curves:
        covered = covered.overlap(Window(float(l0.min()), float(l0.max())))
    if not covered.wide or any(len(np.unique(l0)) < len(recipes) for l0, _ in curves):
        return None
    areas = np.array(areas_in(curves, covered))
    mean = math.fsum(areas) / len(areas)
    half = float(stdtrit(len(areas) - 1, (1 + _LEVEL) / 2)) * float(areas.std(ddof=1)) / math.sqrt(len(areas))
    found = _metric(points, mean, interval=(mean - half, mean + half, SEEDS, len(areas)))
    return FamilyArea(found, covered, len(recipes))


def _over_examples(points: Sequence[Point], area: Area) -> FamilyArea:
    sources = {one.value.ci_source for one in points}
    if None in sources or len(sources) > 1 or area.window is None:
        return _without_interval(points, area, "not all its dictionaries have an interval of the same kind")
    l0 = np.array([one.l0 for one in points])
    ends = [np.array([getattr(one.value, name) for one in points], dtype=np.float64) for name in ("ci_low", "ci_high")]
    low, high = areas_in([(l0, ends[0]), (l0, ends[1])], area.window)
    units = [one.value.n for one in points if one.value.n is not None]
    source = f"{sources.pop()}, {TOGETHER}"
    found = _metric(points, area.value, interval=(low, high, source, min(units, default=None)))
    return FamilyArea(found, area.window, area.sparsities)


def _curve(points: Sequence[Point]) -> Curve:
    return np.array([one.l0 for one in points]), np.array([one.number for one in points])


def _without_interval(points: Sequence[Point], area: Area, why: str) -> FamilyArea:
    return FamilyArea(_metric(points, area.value, ci_reason=why), area.window, area.sparsities)


def _refused(points: Sequence[Point], area: Area) -> FamilyArea:
    return FamilyArea(_metric(points, None, reason=area.reason), area.window, area.sparsities)


def _metric(
    points: Sequence[Point],
    value: float | None,
    *,
    reason: str | None = None,
    interval: tuple[float, float, str, int | None] | None = None,
    ci_reason: str | None = None,
) -> MetricValue:
    low, high, source, n = interval or (None, None, None, None)
    first = points[0].value if points else MetricValue(value=None, reason="there is none")
    floors, ceilings = ({getattr(one.value, name) for one in points} for name in ("floor", "ceiling"))
    return MetricValue(
        value=value,
        reason=reason,
        ci_low=low,
        ci_high=high,
        ci_source=source,
        ci_reason=ci_reason,
        n=n,
        floor=floors.pop() if len(floors) == 1 else None,
        ceiling=ceilings.pop() if len(ceilings) == 1 else None,
        unit=first.unit,
        higher_is_better=first.higher_is_better,
        version=first.version,
    )
