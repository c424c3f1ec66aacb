"""How large featurizers are, as a metric of a record."""

from __future__ import annotations

from mibench.metrics.metric import metric
from mibench.records.record import MetricValue


@metric(name="n_parameters", version=1, track="variable", unit="parameters", higher_is_better=None)
def n_parameters(count: int) -> MetricValue:
    """Numbers that the featurizers of all sites hold, as stored.

    Range: [0, ∞). Neither end is better by itself: read accuracy at equal size. Source: mibench.
    """
    return MetricValue(value=float(count), ci_reason="a count, not an estimate", unit="parameters")
