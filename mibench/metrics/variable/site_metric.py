"""Metrics of interchange interventions at sites: what they are given, and which are registered."""

from __future__ import annotations

from functools import cache
from typing import Any

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import METRICS, Metric

Scored = FloatArray | str
"""A value for each leading axis of the means, or why there is none."""

SiteMetric = Metric[[Any], Scored]
"""A metric of `mibench.metrics.variable.means.Means`."""


@cache
def site_metrics() -> tuple[SiteMetric, ...]:
    """Return every registered metric that is computed from the tables of the variable track, by name."""
    named = METRICS.components.values()
    loaded = [component.load() for component in named if component.metadata.get("of") == "sites"]
    return tuple(found for found in loaded if isinstance(found, Metric))
