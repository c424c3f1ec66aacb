"""Ratios of sums over contexts, with one joint bootstrap for all of them.

Tokens of a context are not independent, nor are contexts of a document: documents are resampled, whole, where there are
`LEAST_DOCUMENTS`, else contexts. What every context is compared with, the mean
activation, is that of the sample in every replicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mibench.metrics.bootstrap import Interval, Resampling, interval_of, resampled_means
from mibench.metrics.faithfulness import TINY, FloatArray
from mibench.metrics.metric import Metric
from mibench.metrics.sae.core_tables import DOCUMENT
from mibench.records.record import MetricValue

LEAST_DOCUMENTS = 5
"""Fewer say nothing of how documents differ."""
NOTHING = "what it is divided by is not distinguishable from zero"


@dataclass(frozen=True, eq=False)
class ContextMeans:
    """Means over contexts of sums over their tokens, of the sample or of each replicate.

    Attributes:
        columns: By name, ``[...]`` each.
    """

    columns: Mapping[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        """The mean of a column, ``[...]``."""
        return self.columns[name]

    def ratio(self, top: str, bottom: str) -> FloatArray:
        """One column over another, ``[...]``; NaN where the latter is zero."""
        return divided(self[top], self[bottom])


ContextMetric = Metric[[ContextMeans], FloatArray]
"""A metric of sums over contexts; NaN where it is undefined."""


def divided(top: FloatArray, bottom: FloatArray, scale: FloatArray | float = 0.0) -> FloatArray:
    """Return ``top / bottom``; NaN unless ``bottom`` is above `TINY` times ``scale``, and above 0."""
    usable = bottom > np.maximum(0.0, TINY * np.asarray(scale))
    return np.where(usable, top / np.where(usable, bottom, 1.0), np.nan)


@dataclass(frozen=True, eq=False)
class Measured:
    """Means of the sample, and of its replicates.

    Attributes:
        sample: One number a column.
        replicates: ``[resamples]`` a column.
        n: Number of documents, or of contexts.
        level: Coverage of intervals.
        of: Which of both.
    """

    sample: ContextMeans
    replicates: ContextMeans
    n: int
    level: float
    of: str = "contexts"


def measure(columns: Mapping[str, FloatArray], resampling: Resampling) -> Measured:
    """Average columns ``[contexts]`` over all, and over documents, or contexts, drawn with replacement together.

    Args:
        columns: By name, `DOCUMENT` among them, or not.
        resampling: Of the bootstrap.
    """
    columns, of = _units(columns)
    names, values = list(columns), np.stack(list(columns.values()), axis=1)
    drawn = resampled_means(values, resampling)
    sample = {name: np.asarray(values[:, place].mean()) for place, name in enumerate(names)}
    replicates = {name: drawn[:, place] for place, name in enumerate(names)}
    return Measured(ContextMeans(sample), ContextMeans(replicates), len(values), resampling.level, of)


def _units(columns: Mapping[str, FloatArray]) -> tuple[dict[str, FloatArray], str]:
    """Sums over documents where there are enough, else over contexts; and which."""
    rest = {name: values for name, values in columns.items() if name != DOCUMENT}
    if DOCUMENT not in columns:
        return rest, "contexts"
    found, place = np.unique(columns[DOCUMENT], return_inverse=True)
    if len(found) < LEAST_DOCUMENTS:
        return rest, "contexts"
    summed = {name: np.asarray(np.bincount(place, values), dtype=np.float64) for name, values in rest.items()}
    return summed, "documents"


def scored(metric: ContextMetric, measured: Measured, *, floor: FloatArray | None = None) -> MetricValue:
    """Return the number of a metric with its interval.

    Args:
        metric: The metric.
        measured: What it is computed from.
        floor: Floor that the data give; None: the declared one.
    """
    value = float(metric(measured.sample))
    missing = not np.isfinite(value)
    found = Interval()
    if not missing:
        replicates = metric(measured.replicates)
        found = interval_of(replicates, np.isfinite(replicates), measured.n, measured.level)
    return MetricValue(
        value=None if missing else value,
        reason=NOTHING if missing else None,
        ci_low=found.low,
        ci_high=found.high,
        ci_source=None if found.low is None else measured.of,
        ci_reason=found.reason,
        n=measured.n,
        floor=metric.floor if floor is None or not np.isfinite(floor) else float(floor),
        ceiling=metric.ceiling,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        version=metric.version,
    )
