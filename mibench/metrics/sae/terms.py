"""A metric as a ratio of sums over units, so that value and bootstrap interval come from the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mibench.metrics.bootstrap import Interval, Resampling, interval_of, resampled_means
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric
from mibench.records.record import MetricValue


@dataclass(frozen=True, eq=False)
class Terms:
    """``Σ top / Σ bottom`` over units that can be resampled.

    Attributes:
        top: What is summed ``[units]``.
        units: What the units are: true features, latents, pairs of features, samples.
        bottom: What the sum is divided by, likewise; None: ones, so that the value is a mean.
        missing: Why there is no value where the bottom sums to 0, or there are no units.
    """

    top: FloatArray
    units: str
    bottom: FloatArray | None = None
    missing: str = "there is nothing to average"

    @property
    def weights(self) -> FloatArray:
        """The bottom, ones where there is none ``[units]``."""
        return np.ones(len(self.top)) if self.bottom is None else self.bottom

    @property
    def value(self) -> float | None:
        """The ratio; None where it is undefined."""
        total = float(np.sum(self.weights, dtype=np.float64))
        return float(np.sum(self.top, dtype=np.float64)) / total if total > 0 else None


def interval(terms: Terms, resampling: Resampling) -> Interval:
    """Return the percentile interval of a ratio, units drawn with replacement."""
    columns = np.stack([terms.top, terms.weights], axis=1).astype(np.float64)
    means = resampled_means(columns, resampling)
    usable = means[:, 1] > 0
    ratios = np.divide(means[:, 0], means[:, 1], out=np.zeros(len(means)), where=usable)
    return interval_of(ratios, usable, len(terms.top), resampling.level)


def metric_value(declared: Metric[..., Any], terms: Terms, resampling: Resampling) -> MetricValue:
    """Return the number of a metric with its interval."""
    value = terms.value
    found = Interval() if value is None else interval(terms, resampling)
    return MetricValue(
        value=value,
        reason=terms.missing if value is None else None,
        ci_low=found.low,
        ci_high=found.high,
        ci_source=None if found.low is None else terms.units,
        ci_reason=found.reason,
        n=len(terms.top),
        floor=declared.floor,
        ceiling=declared.ceiling,
        unit=declared.unit,
        higher_is_better=declared.higher_is_better,
        version=declared.version,
    )
