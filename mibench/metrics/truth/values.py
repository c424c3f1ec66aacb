"""A detection score as a number of a record."""

from __future__ import annotations

from typing import Any

from mibench.metrics.metric import Metric
from mibench.metrics.truth.ranks import Detection
from mibench.records.record import MetricValue


def value_of(declared: Metric[..., Any], found: Detection, why_no_interval: str) -> MetricValue:
    """Return a metric's number with its floor: that of its items, else the one that the metric declares."""
    return MetricValue(
        value=found.value,
        reason=found.reason,
        ci_reason=None if found.value is None else why_no_interval,
        n=found.n,
        floor=declared.floor if found.floor is None else found.floor,
        ceiling=declared.ceiling,
        unit=declared.unit,
        higher_is_better=declared.higher_is_better,
        version=declared.version,
    )
