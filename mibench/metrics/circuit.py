"""From per-example tables to a circuit's metrics, its curves, and its difference from another circuit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.metrics.areas import FRACTIONS
from mibench.metrics.bootstrap import Interval, Resampling, interval_of
from mibench.metrics.curve_points import curves_of
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.measured import Measured, measure
from mibench.metrics.metric import CircuitMetric, table_metrics
from mibench.metrics.per_example import CircuitExamples, CircuitTables, read_tables
from mibench.metrics.replicates import Replicates
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


def circuit_metrics(
    table: pd.DataFrame,
    endpoints: pd.DataFrame,
    n_edges_total: int,
    extras: Mapping[str, pd.DataFrame] = MappingProxyType({}),
    *,
    seed: int = 0,
    resamples: int = 2000,
) -> tuple[dict[str, MetricValue], dict[str, list[CurvePoint]]]:
    """Return every metric and the curves of a circuit artifact, with bootstrap intervals.

    The tables are those of `mibench.metrics.per_example.CircuitTables`, in its order.

    Args:
        table: One row per example × ranking × size.
        endpoints: One row per example.
        n_edges_total: Real edges of the whole graph.
        extras: Tables that were asked for.
        seed: Seed of the bootstrap.
        resamples: Replicates of the bootstrap.

    Returns:
        Metrics by name, and the curves `faithfulness_signed`, `faithfulness_absolute`, `accuracy_…`, `kl_…`,
        `complement_…` and `idle_share_absolute` as far as measured. What was not measured is null with the reason.

    Raises:
        DataError: The tables are not usable.
    """
    resampling = Resampling(seed, resamples)
    examples = read_tables(CircuitTables(table, endpoints, n_edges_total, extras))
    (measured,) = measure([examples], resampling)
    metrics = {metric.name: _result(metric, measured, resampling) for metric in table_metrics()}
    return metrics, curves_of(measured, resampling)


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
    a, b = measure(list(examples), resampling)
    return {metric.name: _difference(metric, a, b, resampling) for metric in table_metrics()}


def circuit_replicates(
    tables: CircuitTables, names: Collection[str], *, seed: int = 0, resamples: int = 2000
) -> dict[str, Replicates | str]:
    """Return metrics of circuits with their replicates, by name; in their place, why there are none.

    Raises:
        DataError: The tables are not usable.
    """
    examples = read_tables(tables)
    wanted = [metric for metric in table_metrics() if metric.name in names]
    (measured,) = measure([examples], Resampling(seed, resamples), wanted)
    found: dict[str, Replicates | str] = {}
    for metric in wanted:
        reason = _missing(metric, measured)
        if reason is None:
            value, replicates = _value(metric, measured)
            found[metric.name] = Replicates.of(value, replicates, measured.usable(metric), examples.examples)
        else:
            found[metric.name] = reason
    return found


def _missing(metric: CircuitMetric, measured: Measured) -> str | None:
    """Return why `metric` has no value, or None."""
    ranking = metric.ranking or measured.examples.any_ranking
    ranked = measured.examples.rankings.get(ranking)
    if ranked is None:
        return f"no circuit of the {ranking} ranking was measured"
    absent = measured.examples.not_measured(metric, ranked) or measured.undefined(metric.of)
    if absent:
        return absent
    if metric.ranking and metric.size is None and ranked.fractions.size < 2:
        return f"one circuit is a point, not a curve: its {metric.of} has no area"
    if metric.mib_grid and not (ranked.fractions.size == len(FRACTIONS) and np.allclose(ranked.fractions, FRACTIONS)):
        return "defined at MIB's ten sizes only, and other sizes were measured"
    return None


def _value(metric: CircuitMetric, measured: Measured) -> tuple[float, FloatArray]:
    """Return the metric of the sample and of all replicates `[B]`."""
    with np.errstate(invalid="ignore", over="ignore"):
        return float(metric(measured.sample.input(metric))), metric(measured.replicates.input(metric))


def _result(metric: CircuitMetric, measured: Measured, resampling: Resampling) -> MetricValue:
    n = len(measured.examples.examples)
    value, interval, reason = None, Interval(), _missing(metric, measured)
    if reason is None:
        value, replicates = _value(metric, measured)
        interval = interval_of(replicates, measured.usable(metric), n, resampling.level)
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


def _difference(metric: CircuitMetric, a: Measured, b: Measured, resampling: Resampling) -> MetricDifference:
    missing = _missing(metric, a) or _missing(metric, b)
    if missing:
        return MetricDifference(None, None, None, None, missing)
    (value_a, replicates_a), (value_b, replicates_b) = _value(metric, a), _value(metric, b)
    usable = a.usable(metric) & b.usable(metric)
    interval = interval_of(replicates_a - replicates_b, usable, len(a.examples.examples), resampling.level)
    verdict = verdict_of(interval, higher_is_better=metric.higher_is_better)
    return MetricDifference(value_a - value_b, interval.low, interval.high, verdict, interval.reason)


def verdict_of(interval: Interval, *, higher_is_better: bool | None) -> Verdict | None:
    """Return what the interval of a difference says of the first; None without an interval."""
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
