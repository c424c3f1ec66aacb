"""Whether a method finds the same thing again: on other examples of the same task, or from another seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mibench.core.errors import DataError
from mibench.metrics.metric import metric

Item = TypeVar("Item")


@dataclass(frozen=True)
class Spread:
    """A number over all pairs of artifacts; the range, not an interval, since pairs share artifacts.

    Attributes:
        mean: Mean over the pairs that have the number; None: none has.
        low: Smallest.
        high: Largest.
        pairs: How many pairs have the number.
    """

    mean: float | None
    low: float | None
    high: float | None
    pairs: int


@metric(name="jaccard", version=1, track="circuit", unit="", higher_is_better=True, ceiling=1.0)
def jaccard(first: ArrayLike, second: ArrayLike) -> float | None:
    """Overlap of two selections: |A ∩ B| / |A ∪ B|; None where both are empty.

    Range: [0, 1]; two random selections of a share p of the items reach p / (2 − p). Higher is better.
    Source: Jaccard 1912.

    Args:
        first: Which items are selected. `[items]`
        second: The same of the other. `[items]`
    """
    a, b = np.asarray(first, dtype=np.bool_), np.asarray(second, dtype=np.bool_)
    _check_shapes(a.shape, b.shape)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else None


@metric(name="rank_correlation", version=1, track="circuit", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def rank_correlation(first: ArrayLike, second: ArrayLike) -> float | None:
    """Spearman's ρ: the correlation of two artifacts' ranks, ties averaged; None where all scores of one are equal.

    Range: [−1, 1], 0 is chance. Higher is better. Source: Spearman 1904.

    Args:
        first: Scores. `[items]`
        second: Scores of the same items. `[items]`
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    _check_shapes(a.shape, b.shape)
    # Slow to import, and a leaderboard loads every metric.
    from scipy.stats import rankdata

    ranks = [rankdata(one) for one in (a, b)]
    x, y = (one - one.mean() for one in ranks)
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else None


def over_pairs(items: Sequence[Item], compare: Callable[[Item, Item], float | None]) -> Spread:
    """Return what ``compare`` gives over all pairs of ``items``."""
    found = [compare(a, b) for a, b in combinations(items, 2)]
    values = [value for value in found if value is not None]
    if not values:
        return Spread(None, None, None, 0)
    return Spread(float(np.mean(values)), min(values), max(values), len(values))


def _check_shapes(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    if first != second or len(first) != 1 or not first[0]:
        raise DataError(
            "These artifacts cannot be compared.",
            why=f"They have the shapes {list(first)} and {list(second)}.",
            do="Give the same items of both, in one dimension.",
        )
