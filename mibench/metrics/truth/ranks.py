"""How well scores tell true items from false ones, exactly: from ranks, ties averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import BoolArray, FloatArray


@dataclass(frozen=True)
class Detection:
    """A detection score, or the reason why there is none.

    Attributes:
        value: The number.
        reason: Why there is none.
        n: Items that were ranked.
        floor: What a random order gives on average, where that depends on the items; None: the metric says.
    """

    value: float | None
    reason: str | None = None
    n: int | None = None
    floor: float | None = None


def area_of_ranks(labels: ArrayLike, scores: ArrayLike) -> Detection:
    """Return the probability that a true item outranks a false one, ties counting half (Mann and Whitney 1947).

    Args:
        labels: Which items are true. `[items]`
        scores: Their scores; infinity is a score. `[items]`

    Raises:
        DataError: Labels and scores do not match, or a score is NaN.
    """
    truth, values = _checked(labels, scores)
    n_true = int(truth.sum())
    n_false = truth.size - n_true
    if not n_true or not n_false:
        return _one_class(n_true)
    # Slow to import, and the metrics of records without a truth do not need it.
    from scipy.stats import rankdata

    ranks = rankdata(values)
    area = (ranks[truth].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false)
    return Detection(float(area), n=truth.size, floor=0.5)


def precision_of_ranks(labels: ArrayLike, scores: ArrayLike) -> Detection:
    """Return Σ (recall step × precision) from the highest score down, ties entering together.

    Its floor is the exact mean over all orders, which is above the share of true items.

    Args:
        labels: Which items are true. `[items]`
        scores: Their scores. `[items]`

    Raises:
        DataError: As in `area_of_ranks`.
    """
    truth, values = _checked(labels, scores)
    if truth.all() or not truth.any():
        return _one_class(int(truth.sum()))
    order = np.argsort(-values, kind="stable")
    found, ranked = np.cumsum(truth[order]), values[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), truth.size - 1)
    steps = np.diff(found[ends], prepend=0)
    value = float((steps * found[ends] / (ends + 1)).sum() / found[-1])
    return Detection(value, n=truth.size, floor=_by_chance(int(truth.sum()), truth.size))


def precision_at(labels: ArrayLike, scores: ArrayLike) -> Detection:
    """Return the share of true items among the best n, n being how many are true; ties in random order, on average.

    Args:
        labels: Which items are true. `[items]`
        scores: Their scores. `[items]`

    Raises:
        DataError: As in `area_of_ranks`.
    """
    truth, values = _checked(labels, scores)
    n_true = int(truth.sum())
    if n_true in (0, truth.size):
        return _one_class(n_true)
    last = np.sort(values)[-n_true]
    above, tied = values > last, values == last
    drawn = (n_true - int(above.sum())) * float(truth[tied].mean())
    return Detection((int(truth[above].sum()) + drawn) / n_true, n=truth.size, floor=n_true / truth.size)


def _by_chance(n_true: int, n: int) -> float:
    """Mean average precision of all orders: position i holds a true item as often as any, and i − 1 before it."""
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    return (harmonic + (n_true - 1) / (n - 1) * (n - harmonic)) / n


def _one_class(n_true: int) -> Detection:
    which = "true" if n_true else "false"
    return Detection(None, f"every item is {which}: nothing to tell apart")


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[BoolArray, FloatArray]:
    truth, values = np.asarray(labels, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape or truth.size == 0:
        raise DataError(
            "Labels and scores do not match.",
            why=f"Labels have shape {truth.shape}, scores {values.shape}.",
            do="Give one label and one score for every item, in one dimension.",
        )
    if np.isnan(values).any():
        raise DataError(
            "A score is not a number.",
            why=f"{int(np.isnan(values).sum())} of {values.size} scores are NaN and have no rank.",
            do="Leave these items out, or give them a score.",
        )
    return truth, values
