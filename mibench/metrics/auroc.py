"""How well scores find known parts: rank-based AUROC and average precision, exact, with ties averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.metric import metric


@dataclass(frozen=True)
class Detection:
    """A detection score, or the reason why there is none."""

    value: float | None
    reason: str | None = None


@metric(
    name="auroc",
    version=1,
    track="circuit",
    unit="",
    higher_is_better=True,
    floor=0.5,
    ceiling=1.0,
)
def auroc(labels: ArrayLike, scores: ArrayLike) -> Detection:
    """Area under the ROC curve: the probability that a true item outranks a false one, ties counting half.

    Range: [0, 1], 0.5 is chance. Higher is better. Source: Mann and Whitney 1947; MIB's code for
    InterpBench sums over ten greedy circuits instead.

    Args:
        labels: Which items are true. `[items]`
        scores: Their scores. `[items]`
    """
    truth, values = _checked(labels, scores)
    n_true = int(truth.sum())
    n_false = truth.size - n_true
    if not n_true or not n_false:
        return _one_class(n_true)
    ranks = rankdata(values)
    return Detection(float((ranks[truth].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false)))


@metric(name="average_precision", version=1, track="circuit", unit="", higher_is_better=True, ceiling=1.0)
def average_precision(labels: ArrayLike, scores: ArrayLike) -> Detection:
    """Average precision: Σ (recall step × precision) from the highest score down, ties entering together.

    Range: (0, 1], the share of true items is chance. Higher is better. Source: standard, as in scikit-learn.

    Args:
        labels: Which items are true. `[items]`
        scores: Their scores. `[items]`
    """
    truth, values = _checked(labels, scores)
    if truth.all() or not truth.any():
        return _one_class(int(truth.sum()))
    order = np.argsort(-values, kind="stable")
    found, ranked = np.cumsum(truth[order]), values[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), truth.size - 1)
    steps = np.diff(found[ends], prepend=0)
    return Detection(float((steps * found[ends] / (ends + 1)).sum() / found[-1]))


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
