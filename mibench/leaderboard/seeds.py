"""Several seeds of one method as one row: means with Student-t intervals over the seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from mibench.records.record import CurvePoint, MetricValue, RunRecord

_ENDS = ("floor", "ceiling")


def mean_metrics(records: Sequence[RunRecord]) -> dict[str, MetricValue]:
    """Return each metric's mean over the records of a row; of one record, its own metrics."""
    if len(records) == 1:
        return dict(records[0].metrics)
    names = sorted({name for record in records for name in record.metrics})
    return {name: _mean_metric(name, records) for name in names}


def mean_curves(records: Sequence[RunRecord]) -> dict[str, list[CurvePoint]]:
    """Return the curves averaged over records, point by point, as far as all measured the same sizes.

    The ends of an interval are those of the mean over the seeds.
    """
    if len(records) == 1:
        return dict(records[0].curves)
    alike = [name for name in sorted(records[0].curves) if _same_grid(name, records)]
    return {
        name: [_mean_point(points) for points in zip(*(record.curves[name] for record in records), strict=True)]
        for name in alike
    }


def interval(values: Iterable[float], level: float = 0.95) -> tuple[float, float, float]:
    """Return mean, lower and upper end of the Student-t interval of at least two values."""
    sample = np.array(list(values), dtype=np.float64)
    mean = float(sample.mean())
    quantile = float(stdtrit(len(sample) - 1, (1 + level) / 2))
    half = quantile * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    return mean, mean - half, mean + half


def _mean_metric(name: str, records: Sequence[RunRecord]) -> MetricValue:
    first = next(record.metrics[name] for record in records if name in record.metrics)
    ends = {end: _mean_end([getattr(record.metrics.get(name), end, None) for record in records]) for end in _ENDS}
    reason = _why_no_mean(name, records)
    if reason:
        gone = dict.fromkeys(("value", "ci_low", "ci_high", "ci_source", "ci_reason", "n"))
        return first.model_copy(update=gone | ends | {"reason": reason})
    mean, low, high = interval(_value(record.metrics[name]) for record in records)
    return first.model_copy(
        update={
            "value": mean,
            "ci_low": low,
            "ci_high": high,
            "ci_source": "seeds",
            "ci_reason": None,
            "n": len(records),
        }
        | ends
    )


def _mean_end(ends: Sequence[float | None]) -> float | None:
    """Return the mean floor or ceiling of all seeds, exact where they are equal; None where one has none."""
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    return known[0] if len(set(known)) == 1 else math.fsum(known) / len(known)


def _value(metric: MetricValue | CurvePoint) -> float:
    return math.nan if metric.value is None else metric.value


def _why_no_mean(name: str, records: Sequence[RunRecord]) -> str | None:
    """Return why the seeds have no common mean: a mean of those that have a value would flatter the row."""
    for record in records:
        metric = record.metrics.get(name)
        if metric is None:
            return f"seed {record.cell.method.seed} has no {name}"
        if metric.value is None:
            return f"seed {record.cell.method.seed}: {metric.reason}"
    versions = sorted({record.metrics[name].version for record in records})
    return f"the seeds have versions {versions} of {name}" if len(versions) > 1 else None


def _same_grid(name: str, records: Sequence[RunRecord]) -> bool:
    grids = {tuple(point.fraction for point in record.curves.get(name, ())) for record in records}
    defined = all(point.value is not None for record in records for point in record.curves.get(name, ()))
    return len(grids) == 1 and defined


def _mean_point(points: Sequence[CurvePoint]) -> CurvePoint:
    value, low, high = interval(map(_value, points))
    counts: Mapping[str, int] = {
        name: round(float(np.mean([getattr(point, name) for point in points]))) for name in ("n_requested", "n_edges")
    }
    return CurvePoint(fraction=points[0].fraction, value=value, ci_low=low, ci_high=high, **counts)
