"""From per-example tables to a circuit's metrics, its curves, and its difference from another circuit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.metrics.areas import FRACTIONS
from mibench.metrics.bootstrap import Interval, Resampling, percentile_interval, resampled_means, too_few
from mibench.metrics.faithfulness import (
    BoolArray,
    Denominator,
    FaithfulnessCurve,
    FloatArray,
    denominator,
    faithfulness,
)
from mibench.metrics.metric import CircuitMetric, RankingName, curve_metrics
from mibench.metrics.per_example import CircuitExamples, CircuitTables, RankedExamples, read_tables
from mibench.records.record import CurvePoint, MetricValue

Verdict = Literal["tie", "better", "worse", "higher", "lower"]


@dataclass(frozen=True)
class MetricDifference:
    """First minus second circuit on the same examples.

    Attributes:
        difference: Difference of the values, or None.
        ci_low: Lower end of its paired interval.
        ci_high: Upper end.
        verdict: `tie` if the interval contains 0, else how the first compares; None without an interval.
        reason: Why something is missing.
    """

    difference: float | None
    ci_low: float | None
    ci_high: float | None
    verdict: Verdict | None
    reason: str | None


@dataclass(frozen=True)
class _Measured:
    """Curves of the sample and of all replicates, by ranking."""

    examples: CircuitExamples
    denominator: Denominator
    curves: dict[RankingName, FaithfulnessCurve]
    replicates: dict[RankingName, FaithfulnessCurve]
    usable: BoolArray


def circuit_metrics(
    table: pd.DataFrame, endpoints: pd.DataFrame, n_edges_total: int, *, seed: int = 0, resamples: int = 2000
) -> tuple[dict[str, MetricValue], dict[str, list[CurvePoint]]]:
    """Return every metric and both faithfulness curves of a circuit artifact, with bootstrap intervals.

    Args:
        table: One row per example × ranking × size (`mibench.metrics.per_example.TABLE_COLUMNS`).
        endpoints: One row per example: `example`, `clean`, `empty`.
        n_edges_total: Real edges of the whole graph.
        seed: Seed of the bootstrap.
        resamples: Replicates of the bootstrap.

    Returns:
        Metrics by name, and the curves `faithfulness_signed` and `faithfulness_absolute` as far as measured.

    Raises:
        DataError: The tables are not usable.
    """
    resampling = Resampling(seed, resamples)
    examples = read_tables(CircuitTables(table, endpoints, n_edges_total))
    measured = _measure(examples, resampled_means(examples.columns, resampling))
    metrics = {metric.name: _result(metric, measured, resampling) for metric in curve_metrics()}
    curves = {f"faithfulness_{ranking}": list(_points(measured, ranking, resampling)) for ranking in examples.rankings}
    return metrics, curves


def compare_circuits(
    first: CircuitTables, second: CircuitTables, *, seed: int = 0, resamples: int = 2000
) -> dict[str, MetricDifference]:
    """Return the paired difference first − second of every metric, its interval and the verdict.

    Both are resampled with the same draws, so what their examples share cancels.

    Raises:
        DataError: The tables are not usable, or were not measured on the same examples.
    """
    resampling = Resampling(seed, resamples)
    examples = read_tables(first), read_tables(second)
    _check_same_examples(*examples)
    # One matrix, so that both sides see the same draws.
    columns = [side.columns for side in examples]
    means = np.split(resampled_means(np.hstack(columns), resampling), [columns[0].shape[1]], axis=1)
    a, b = (_measure(side, replicated) for side, replicated in zip(examples, means, strict=True))
    return {metric.name: _difference(metric, a, b, resampling) for metric in curve_metrics()}


def _measure(examples: CircuitExamples, means: FloatArray) -> _Measured:
    """Turn the sample and its resampled column means `[B, columns]` into curves."""
    base = denominator(examples.full, examples.empty)
    full, empty = means[:, 0], means[:, 1]
    curves: dict[RankingName, FaithfulnessCurve] = {}
    replicates: dict[RankingName, FaithfulnessCurve] = {}
    start = 2
    for name, ranked in examples.rankings.items():
        circuit = means[:, start : start + ranked.fractions.size]
        start += ranked.fractions.size
        sample = ranked.values.mean(axis=0)
        curves[name] = _curve(ranked, faithfulness(sample, examples.full.mean(), examples.empty.mean()))
        replicates[name] = _curve(ranked, faithfulness(circuit, full, empty))
    return _Measured(examples, base, curves, replicates, base.usable(full - empty))


def _curve(ranked: RankedExamples, values: FloatArray) -> FaithfulnessCurve:
    return FaithfulnessCurve(ranked.fractions, ranked.sizes, values)


def _missing(metric: CircuitMetric, measured: _Measured) -> str | None:
    """Return why `metric` has no value, or None."""
    curve = measured.curves.get(metric.ranking) if metric.ranking else None
    if curve is None:
        return f"no circuit of the {metric.ranking} ranking was measured"
    if measured.denominator.problem:
        return measured.denominator.problem
    if curve.fractions.size < 2:
        return "one circuit is a point, not a curve: it has a faithfulness but no area"
    if metric.mib_grid and not (curve.fractions.size == len(FRACTIONS) and np.allclose(curve.fractions, FRACTIONS)):
        return "defined at MIB's ten sizes only, and other sizes were measured"
    return None


def _value(metric: CircuitMetric, measured: _Measured) -> tuple[float, FloatArray]:
    """Return the metric of the sample and of all replicates `[B]`."""
    ranking: RankingName = metric.ranking or "signed"
    with np.errstate(invalid="ignore", over="ignore"):
        return float(metric(measured.curves[ranking])), metric(measured.replicates[ranking])


def _interval(n: int, replicates: FloatArray, usable: BoolArray, resampling: Resampling) -> Interval:
    return too_few(n) or percentile_interval(replicates, usable, resampling.level)


def _result(metric: CircuitMetric, measured: _Measured, resampling: Resampling) -> MetricValue:
    n = len(measured.examples.examples)
    value, interval, reason = None, Interval(), _missing(metric, measured)
    if reason is None:
        value, replicates = _value(metric, measured)
        interval = _interval(n, replicates, measured.usable, resampling)
    return MetricValue(
        value=value,
        reason=reason,
        ci_low=interval.low,
        ci_high=interval.high,
        ci_source=None if interval.low is None else "examples",
        ci_reason=interval.reason,
        n=n,
        floor=metric.floor,
        ceiling=metric.ceiling,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        version=metric.version,
    )


def _points(measured: _Measured, ranking: RankingName, resampling: Resampling) -> Iterator[CurvePoint]:
    ranked = measured.examples.rankings[ranking]
    undefined = measured.denominator.problem is not None
    for index, fraction in enumerate(ranked.fractions):
        replicates = measured.replicates[ranking].faithfulness[:, index]
        interval = Interval()
        if not undefined:
            interval = _interval(len(measured.examples.examples), replicates, measured.usable, resampling)
        yield CurvePoint(
            fraction=float(fraction),
            n_requested=int(ranked.n_requested[index]),
            n_edges=int(ranked.n_edges[index]),
            value=None if undefined else float(measured.curves[ranking].faithfulness[index]),
            ci_low=interval.low,
            ci_high=interval.high,
        )


def _difference(metric: CircuitMetric, a: _Measured, b: _Measured, resampling: Resampling) -> MetricDifference:
    missing = _missing(metric, a) or _missing(metric, b)
    if missing:
        return MetricDifference(None, None, None, None, missing)
    (value_a, replicates_a), (value_b, replicates_b) = _value(metric, a), _value(metric, b)
    usable = a.usable & b.usable
    interval = _interval(len(a.examples.examples), replicates_a - replicates_b, usable, resampling)
    verdict = _verdict(interval, higher_is_better=metric.higher_is_better)
    return MetricDifference(value_a - value_b, interval.low, interval.high, verdict, interval.reason)


def _verdict(interval: Interval, *, higher_is_better: bool | None) -> Verdict | None:
    if interval.low is None or interval.high is None:
        return None
    if interval.low <= 0 <= interval.high:
        return "tie"
    if higher_is_better is None:
        return "higher" if interval.low > 0 else "lower"
    return "better" if (interval.low > 0) == higher_is_better else "worse"


def _check_same_examples(first: CircuitExamples, second: CircuitExamples) -> None:
    different = sorted(set(first.examples) ^ set(second.examples))
    if different:
        raise DataError(
            "The circuits cannot be compared.",
            why=f"{len(different)} examples were measured for one of them only, '{different[0]}' among them.",
            do="Evaluate both on the same task, split and limit.",
        )
