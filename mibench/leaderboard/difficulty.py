"""How well methods find the truth as planted models become harder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from mibench.core.specs import Level
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

    All means are over the same programs and families, edges under the first counterfactual set: a model that is not
    there at every difficulty is left out, and so is a method without a number on one of them.

    Args:
        groups: Groups of records; those of models that are not planted are left out.
        metric: Name of a metric that is better the higher it is.
    """
    tables: dict[tuple[str, int], dict[str, float]] = {}
    for group in groups:
        known = known_models().get(group.cell.model.name)
        # Further counterfactual sets and levels would weigh some programs more than others.
        first = known is not None and known.name.startswith(f"{group.cell.task.name}-{known.family}")
        if known is not None and known.difficulty is not None and first and group.cell.level is Level.EDGE:
            base = known.name.removesuffix(f"-d{known.difficulty}")
            tables[base, known.difficulty] = _numbers(group, metric)
    levels = tuple(sorted({level for _, level in tables}))
    bases = [base for base in dict.fromkeys(base for base, _ in tables) if all((base, one) in tables for one in levels)]
    every = [set(tables[base, level]) for base in bases for level in levels]
    names = set.intersection(*every) if every else set()
    drawn = [
        Course(name, levels, tuple(fmean(tables[base, level][name] for base in bases) for level in levels))
        for name in names
    ]
    return sorted(drawn, key=lambda one: (-one.values[-1], one.method))


def _numbers(group: Group, metric: str) -> dict[str, float]:
    found = {row.label: row.metrics[metric].value for row in group.rows if metric in row.metrics}
    return {name: value for name, value in found.items() if value is not None and name not in CONTROLS}
