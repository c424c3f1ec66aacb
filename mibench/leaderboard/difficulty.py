"""How well methods find the truth as planted models become harder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from mibench.core.specs import Track
from mibench.leaderboard.rows import Group
from mibench.leaderboard.validity import CONTROLS
from mibench.models.known import known_models


@dataclass(frozen=True)
class Course:
    """One method.

    Attributes:
        method: Its label.
        difficulties: Ascending.
        values: Mean of the metric over the planted models of each difficulty.
    """

    method: str
    difficulties: tuple[int, ...]
    values: tuple[float, ...]


def courses(groups: Iterable[Group], metric: str) -> list[Course]:
    """Return the mean of a metric of circuits by method and difficulty, the method best on the hardest first.

    All means are over the same models: a method without a number on one of them is left out.

    Args:
        groups: Groups of records; those of models that are not planted are left out.
        metric: Name of a metric that is better the higher it is.
    """
    found: dict[int, list[dict[str, float]]] = defaultdict(list)
    for group in groups:
        known = known_models().get(group.cell.model.name)
        if known is None or known.difficulty is None or group.track is not Track.CIRCUIT:
            continue
        values = {row.method: row.metrics[metric].value for row in group.rows if metric in row.metrics}
        numbers = {name: value for name, value in values.items() if value is not None and name not in CONTROLS}
        if numbers:
            found[known.difficulty].append(numbers)
    methods = _in_all(found)
    levels = tuple(sorted(found))
    means = {name: tuple(fmean(one[name] for one in found[level]) for level in levels) for name in methods}
    drawn = [Course(name, levels, values) for name, values in means.items()]
    return sorted(drawn, key=lambda one: (-one.values[-1], one.method))


def _in_all(found: dict[int, list[dict[str, float]]]) -> list[str]:
    """Methods with a number on every model, sorted."""
    every = [set(one) for tables in found.values() for one in tables]
    return sorted(set.intersection(*every)) if every else []
