"""What is left of a family's scores once fidelity is taken out: reconstruction alone raises most causal scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mibench.metrics.bootstrap import Interval, Resampling, percentile_interval
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.records.record import MetricValue

FEWEST = 5
CI_SOURCE = "dictionaries"
NO_INTERVAL = "a line through so few dictionaries is not resampled"


@dataclass(frozen=True)
class FamilyResiduals:
    """Scores of a family of dictionaries against their fidelity.

    Attributes:
        residuals: Of each dictionary, in order.
        with_fidelity: Rank correlation of score and fidelity.
        with_log_l0: Rank correlation of score and log L0.
    """

    residuals: tuple[MetricValue, ...]
    with_fidelity: MetricValue
    with_log_l0: MetricValue


@metric(name="fidelity_residual", version=1, track="sae", unit="", higher_is_better=True)
def fidelity_residual(score: FloatArray, fidelity: FloatArray) -> FloatArray:
    """Score less (a + b · fidelity), by least squares over the family; residuals sum to 0. `[dictionaries]`.

    Above 0: more than dictionaries of this fidelity reach in this family. Only within a family of one place and task;
    null under 5 dictionaries, or where all have the same fidelity.

    Range: unbounded. Higher is better. Source: mibench; SAEBench's RAVEL score follows loss recovered with Spearman
    .99 over 42 dictionaries.
    """
    centred = fidelity - fidelity.mean()
    slope = (centred * score).sum() / (centred**2).sum()
    return np.asarray(score - score.mean() - slope * centred, dtype=np.float64)


@metric(name="score_fidelity_spearman", version=1, track="sae", unit="", higher_is_better=None)
def spearman(score: FloatArray, other: FloatArray) -> float:
    """Rank correlation over a family, ties sharing their mean rank; with fidelity, or with log L0. NaN: all are equal.

    Near 1: the score says what fidelity says. Range: [−1, 1]. Neither end is better. Source: Spearman (1904).
    """
    ranks = [_ranks(values) for values in (score, other)]
    first, second = (values - values.mean() for values in ranks)
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size > 0 else float("nan")


def fidelity_residuals(
    score: Sequence[float], fidelity: Sequence[float], log_l0: Sequence[float], resampling: Resampling
) -> FamilyResiduals:
    """Return residuals and rank correlations of a family, or why there are none.

    Args:
        score: Of each dictionary.
        fidelity: Explained variance or loss recovered of each.
        log_l0: Logarithm of active latents per token of each.
        resampling: Of dictionaries, for the correlations.

    Raises:
        ValueError: The lengths differ.
    """
    columns = np.array([score, fidelity, log_l0], dtype=np.float64)
    reason = _refused(columns)
    n = columns.shape[1]
    if reason is not None:
        none = MetricValue(value=None, reason=reason, n=n)
        return FamilyResiduals((none,) * n, none, none)
    found = fidelity_residual(columns[0], columns[1])
    residuals = tuple(MetricValue(value=float(one), ci_reason=NO_INTERVAL, n=n, higher_is_better=True) for one in found)
    return FamilyResiduals(residuals, *(_correlation(columns[0], columns[row], resampling) for row in (1, 2)))


def _refused(columns: FloatArray) -> str | None:
    if columns.shape[1] < FEWEST:
        return f"{columns.shape[1]} dictionaries are fewer than {FEWEST}"
    if not np.isfinite(columns).all():
        return "a score, a fidelity or a log L0 is missing"
    return "all dictionaries have the same fidelity" if np.ptp(columns[1]) == 0 else None


def _correlation(score: FloatArray, other: FloatArray, resampling: Resampling) -> MetricValue:
    value, n = spearman(score, other), len(score)
    if not np.isfinite(value):
        return MetricValue(value=None, reason="all dictionaries have the same rank", n=n)
    generator = np.random.Generator(np.random.PCG64(resampling.seed))
    draws = generator.integers(n, size=(resampling.resamples, n))
    values = np.array([spearman(score[draw], other[draw]) for draw in draws])
    interval: Interval = percentile_interval(values, np.isfinite(values), resampling.level)
    return MetricValue(
        value=value,
        ci_low=interval.low,
        ci_high=interval.high,
        ci_source=None if interval.low is None else CI_SOURCE,
        ci_reason=interval.reason,
        n=n,
    )


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return np.asarray((last - (counts - 1) / 2)[place], dtype=np.float64)
