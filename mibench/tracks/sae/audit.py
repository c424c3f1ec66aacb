"""An audit of metrics: does a number tell the truth from a trained dictionary, and that from a random one?

Five lenses, on synthetic data where the best dictionary is known: order (oracle above trained above random), scatter
over scoring seeds, agreement with recovery, rise along a training, and independence of the order and scale of latents.
After Chanin 2026, arXiv 2605.18229, whose lenses are seeds, training and synthetic truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mibench.metrics.stability import rank_correlation
from mibench.tracks.sae.candidate import Candidate

Numbers = Mapping[str, float | None]


class Measure(Protocol):
    """Numbers of a candidate, with random draws of the scoring from a seed."""

    @property
    def better(self) -> Mapping[str, bool | None]:
        """By name of a number, whether higher is better; None: neither end is."""
        ...

    def __call__(self, candidate: Candidate, seed: int) -> Numbers:
        """Measure; None where a number is undefined."""
        ...


@dataclass(frozen=True)
class Population:
    """Dictionaries that a metric is tried on.

    Attributes:
        oracle: The truth.
        random: Dictionaries that learned nothing.
        trained: Dictionaries of different recipes.
        trajectory: One recipe, trained ever longer.
        alike: Pairs that differ in the order and scale of latents alone.
    """

    oracle: Candidate
    random: Sequence[Candidate]
    trained: Sequence[Candidate]
    trajectory: Sequence[Candidate]
    alike: Sequence[tuple[Candidate, Candidate]]


@dataclass(frozen=True)
class _Scored:
    """Numbers of a population under the first seed, and of its first trained ones under all seeds."""

    oracle: Numbers
    random: list[Numbers]
    trained: list[Numbers]
    trajectory: list[Numbers]
    alike: list[tuple[Numbers, Numbers]]
    reseeded: list[list[Numbers]]


_RESEEDED = 2
"""Trained dictionaries that are scored under every seed."""


def audit(
    population: Population, measures: Sequence[Measure], *, reference: str, seeds: Sequence[int] = (0, 1, 2, 3, 4)
) -> pd.DataFrame:
    """Return one row a number.

    Columns: ``oracle``, ``trained``, ``random`` (means); ``ordered``: whether oracle is better than trained, and that
    than random; ``reseed_cv``: standard deviation over the seeds by the mean, the largest of the first trained ones;
    ``agreement``: Spearman's ρ with the reference over all trained and random ones, positive where both call the same
    ones better; ``rise``: ρ with the time of training, likewise; ``variance``: the largest relative difference between
    dictionaries that are alike. NaN: undefined.

    Args:
        population: Dictionaries.
        measures: What is audited.
        reference: Name of the number that recovery is told by; one of the measures'.
        seeds: Of the scoring's draws.
    """
    found = [_scored(population, measure, seeds) for measure in measures]
    told = _column(found, measures, reference)
    rows = [
        _row(name, measure.better, scored, told)
        for measure, scored in zip(measures, found, strict=True)
        for name in measure.better
    ]
    return pd.DataFrame(rows).set_index("metric")


def _scored(population: Population, measure: Measure, seeds: Sequence[int]) -> _Scored:
    first = seeds[0]
    return _Scored(
        oracle=measure(population.oracle, first),
        random=[measure(one, first) for one in population.random],
        trained=[measure(one, first) for one in population.trained],
        trajectory=[measure(one, first) for one in population.trajectory],
        alike=[(measure(one, first), measure(other, first)) for one, other in population.alike],
        reseeded=[[measure(one, seed) for seed in seeds] for one in population.trained[:_RESEEDED]],
    )


def _column(found: Sequence[_Scored], measures: Sequence[Measure], name: str) -> list[float]:
    for measure, scored in zip(measures, found, strict=True):
        if name in measure.better:
            return _values([*scored.trained, *scored.random], name)
    raise KeyError(name)


def _row(name: str, directions: Mapping[str, bool | None], scored: _Scored, told: Sequence[float]) -> dict[str, Any]:
    better = directions[name]
    sign = -1.0 if better is False else 1.0
    oracle = _values([scored.oracle], name)[0]
    trained, random = (_mean(_values(some, name)) for some in (scored.trained, scored.random))
    trajectory = _values(scored.trajectory, name)
    both = _values([*scored.trained, *scored.random], name)
    return {
        "metric": name,
        "higher_is_better": better,
        "oracle": oracle,
        "trained": trained,
        "random": random,
        "ordered": None if better is None else bool(sign * oracle > sign * trained > sign * random),
        "reseed_cv": max(_scatter(_values(some, name)) for some in scored.reseeded),
        "agreement": sign * _correlation(both, told),
        "rise": sign * _correlation(trajectory, range(len(trajectory))),
        "variance": max((_apart(one[name], other[name]) for one, other in scored.alike), default=float("nan")),
    }


def _values(some: Sequence[Numbers], name: str) -> list[float]:
    return [float("nan") if (value := one[name]) is None else value for one in some]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _scatter(values: Sequence[float]) -> float:
    mean = float(np.mean(values))
    return float(np.std(values, ddof=1)) / abs(mean) if mean else float("nan")


def _correlation(values: Sequence[float], others: Sequence[float]) -> float:
    """Over those that both know; NaN for fewer than three, or where all are equal."""
    pairs = [(a, b) for a, b in zip(values, others, strict=True) if np.isfinite(a) and np.isfinite(b)]
    if len(pairs) < 3:
        return float("nan")
    found = rank_correlation(*zip(*pairs, strict=True))
    return float("nan") if found is None else found


def _apart(one: float | None, other: float | None) -> float:
    """Difference by the larger size; a number that only one of them has is infinitely far."""
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    return abs(one - other) / max(abs(one), abs(other), 1e-3)
