"""From per-example tables to the metrics of featurizers, and to their difference from others."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from mibench.core.errors import DataError
from mibench.metrics.bootstrap import Interval, Resampling, percentile_interval
from mibench.metrics.circuit import MetricDifference, verdict_of
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric
from mibench.metrics.replicates import Replicates
from mibench.metrics.variable.chosen import iia_set
from mibench.metrics.variable.examples import VariableExamples, read_tables
from mibench.metrics.variable.means import Means, Measured, measure
from mibench.metrics.variable.site_metric import Scored, site_metrics
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import MetricValue

Declared = Metric[..., Any]
Compute = Callable[[Means], Scored]

_CHANGED = {"normalised_iia", "normalised_average", "cause"}


def variable_metrics(tables: VariableTables, *, seed: int = 0, resamples: int = 2000) -> dict[str, MetricValue]:
    """Return every metric of featurizers, with bootstrap intervals over the rows of each counterfactual set.

    The floor of a metric is what it gives where the intervention does nothing, unless it declares one. What cannot be
    computed is null with the reason. ``iia_set:<set>`` is `iia_set` of each set.

    Raises:
        DataError: The tables are not usable.
    """
    resampling = Resampling(seed, resamples)
    measured = measure(read_tables(tables), resampling)
    return {name: _result(name, declared, compute, measured, resampling) for name, declared, compute in _all(measured)}


def compare_variables(
    first: VariableTables, second: VariableTables, *, seed: int = 0, resamples: int = 2000
) -> dict[str, MetricDifference]:
    """Return the paired difference first − second of every metric, its interval and the verdict.

    Both are scored on the rows that they share, and resampled with the same draws.

    Raises:
        DataError: The tables are not usable, or share no rows.
    """
    resampling = Resampling(seed, resamples)
    a, b = (measure(side, resampling) for side in shared(read_tables(first), read_tables(second)))
    pairs = zip(_all(a), _all(b), strict=True)
    return {
        name: _difference(declared, (one, a), (other, b), resampling) for (name, declared, one), (_, _, other) in pairs
    }


def variable_replicates(
    tables: VariableTables, names: Collection[str], *, seed: int = 0, resamples: int = 2000
) -> dict[str, Replicates | str]:
    """Return metrics of featurizers with their replicates, by name; in their place, why there are none.

    Raises:
        DataError: The tables are not usable.
    """
    measured = measure(read_tables(tables), Resampling(seed, resamples))
    chosen = [(name, compute) for name, _, compute in _all(measured) if name in names]
    return {name: _replicates(compute, measured) for name, compute in chosen}


def _replicates(compute: Compute, measured: Measured) -> Replicates | str:
    value, replicates = compute(measured.sample), compute(measured.replicates)
    if isinstance(value, str) or isinstance(replicates, str):
        return value if isinstance(value, str) else str(replicates)
    examples = measured.sample.examples
    lonely = _lonely(examples)
    return lonely or Replicates.of(float(value), replicates, np.ones(replicates.shape, dtype=np.bool_), examples.rows)


def shared(first: VariableExamples, second: VariableExamples) -> tuple[VariableExamples, VariableExamples]:
    """Return both with the rows that they share.

    Raises:
        DataError: They share none, or ask something else of them.
    """
    rows = set(first.rows) & set(second.rows)
    if not rows:
        raise DataError(
            "The featurizers cannot be compared.",
            why="No row was scored for both.",
            do="Evaluate both on the same task, model, variable, split and limit.",
        )
    sides = first.restricted(rows), second.restricted(rows)
    if not sides[0].asks_the_same(sides[1]):
        raise DataError(
            "The featurizers cannot be compared.",
            why="Their rows have the same names, but not the same answers or the same linear target.",
            do="Score both with the same task version, tokenizer and training rows.",
        )
    return sides


def _all(measured: Measured) -> list[tuple[str, Declared, Compute]]:
    """Every metric by its name in a record."""
    named: list[tuple[str, Declared, Compute]] = [(metric.name, metric, metric) for metric in site_metrics()]
    sets = measured.sample.examples.sets
    return named + [(f"{iia_set.name}:{name}", iia_set, _of_set(name)) for name in sets]


def _of_set(name: str) -> Compute:
    return lambda means: iia_set(means, name)


def _result(name: str, declared: Declared, compute: Compute, measured: Measured, resampling: Resampling) -> MetricValue:
    value = compute(measured.sample)
    missing = value if isinstance(value, str) else None
    interval = Interval() if missing else _interval(compute(measured.replicates), measured, resampling)
    return MetricValue(
        value=None if isinstance(value, str) else float(value),
        reason=missing,
        ci_low=interval.low,
        ci_high=interval.high,
        ci_source=None if interval.low is None else "examples",
        ci_reason=interval.reason,
        n=_rows(name, measured.sample.examples),
        floor=_floor(declared, compute, measured.sample),
        ceiling=declared.ceiling,
        unit=declared.unit,
        higher_is_better=declared.higher_is_better,
        version=declared.version,
    )


def _floor(declared: Declared, compute: Compute, sample: Means) -> float | None:
    """What doing nothing gives; None where neither end is better."""
    if declared.floor is not None or declared.higher_is_better is None:
        return declared.floor
    idle = compute(sample.idle())
    return None if isinstance(idle, str) else float(idle)


def _interval(replicates: Scored, measured: Measured, resampling: Resampling) -> Interval:
    if isinstance(replicates, str):
        return Interval(reason=replicates)
    lonely = _lonely(measured.sample.examples)
    if lonely is not None:
        return Interval(reason=lonely)
    return percentile_interval(replicates, np.ones(replicates.shape, dtype=np.bool_), resampling.level)


def _lonely(examples: VariableExamples) -> str | None:
    lonely = [name for name in examples.sets if examples.rows_of(name).sum() < 2]
    return f"the set '{lonely[0]}' has one row, which cannot be resampled" if lonely else None


def _rows(name: str, examples: VariableExamples) -> int:
    """How many rows a metric rests on."""
    if name.startswith(f"{iia_set.name}:"):
        return int(examples.rows_of(name.partition(":")[2]).sum())
    if name in _CHANGED:
        return int(examples.cause.sum())
    return int((~examples.cause).sum()) if name == "isolate" else len(examples.rows)


def _difference(
    declared: Declared, one: tuple[Compute, Measured], other: tuple[Compute, Measured], resampling: Resampling
) -> MetricDifference:
    (compute_a, a), (compute_b, b) = one, other
    value_a, value_b = compute_a(a.sample), compute_b(b.sample)
    if isinstance(value_a, str) or isinstance(value_b, str):
        return MetricDifference(None, None, None, None, value_a if isinstance(value_a, str) else str(value_b))
    interval = _interval(_minus(compute_a(a.replicates), compute_b(b.replicates)), a, resampling)
    verdict = verdict_of(interval, higher_is_better=declared.higher_is_better)
    return MetricDifference(float(value_a - value_b), interval.low, interval.high, verdict, interval.reason)


def _minus(first: Scored, second: Scored) -> FloatArray | str:
    if isinstance(first, str) or isinstance(second, str):
        return first if isinstance(first, str) else second
    return first - second
