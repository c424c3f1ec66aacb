"""From the tables of the causal family to its numbers, with intervals, floors and ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Interval, Resampling, interval_of
from mibench.metrics.sae import causal, causal_tables
from mibench.metrics.sae.causal import CausalMetric
from mibench.metrics.sae.causal_tables import CausalMeans, Scored
from mibench.metrics.sae.normalised import normalised
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue

CI_SOURCE = "entities"
NO_ORACLE = "the supervised subspace does no better than random latents or nothing, so there is no scale"
NOT_RESAMPLED = "the choice of latents is not repeated on resampled training rows"

OWN: tuple[CausalMetric, ...] = (
    causal.disentangle_err,
    causal.cause_err,
    causal.isolate_err,
    causal.disentangle_no_error,
    causal.cause_all_latents,
    causal.disentangle_random_latents,
    causal.disentangle_gap_random,
    causal.disentangle_gap_oracle,
    causal.disentangle_oracle,
    causal.disentangle_random_subspace,
    causal.disentangle_noop,
)
BY_VARIABLE: tuple[CausalMetric, ...] = (causal.disentangle_err, causal.cause_err, causal.isolate_err)
SAEBENCH: tuple[CausalMetric, ...] = (causal.disentanglement_score, causal.cause_score, causal.isolation_score)


def causal_metrics(tables: Mapping[str, pd.DataFrame], resampling: Resampling) -> dict[str, MetricValue]:
    """Return the metrics of the causal family from its tables; those of one attribute have its name after a colon.

    Raises:
        DataError: The tables are not usable.
    """
    report = _report(tables, resampling)
    found = {one.name: report.value(one) for one in OWN}
    found["disentangle_err_normalised"] = _scaled(found["disentangle_err"])
    for variable in report.sample.variables:
        found |= {f"{one.name}:{variable}": report.only(variable).value(one) for one in BY_VARIABLE}
    return found | {
        causal.explained_variance_rows.name: _fidelity(tables[causal_tables.FIDELITY], resampling),
        causal.latents_swapped.name: _count(tables[causal_tables.SWAPPED], len(report.sample.variables)),
    }


def saebench_metrics(tables: Mapping[str, pd.DataFrame], resampling: Resampling) -> dict[str, MetricValue]:
    """Return SAEBench's three metrics, under its names.

    Raises:
        DataError: The table of examples is not usable.
    """
    report = _report(tables, resampling)
    return {one.name: report.value(one) for one in SAEBENCH}


@dataclass(frozen=True)
class _Report:
    """What the numbers of one dictionary are taken from."""

    sample: CausalMeans
    replicates: CausalMeans
    clusters: int
    level: float

    def only(self, variable: str) -> _Report:
        """The same of one attribute."""
        kept = [
            CausalMeans({key: rates for key, rates in means.rates.items() if key[0] == variable})
            for means in (self.sample, self.replicates)
        ]
        return _Report(kept[0], kept[1], self.clusters, self.level)

    def value(self, declared: CausalMetric) -> MetricValue:
        """One number with its interval."""
        value = declared(self.sample)
        interval = Interval() if isinstance(value, str) else self._interval(declared)
        floor, ceiling = self._ends(declared)
        return MetricValue(
            value=None if isinstance(value, str) else float(value),
            reason=value if isinstance(value, str) else None,
            ci_low=interval.low,
            ci_high=interval.high,
            ci_source=None if interval.low is None else CI_SOURCE,
            ci_reason=interval.reason,
            n=self.clusters,
            floor=floor,
            ceiling=ceiling,
            unit=declared.unit,
            higher_is_better=declared.higher_is_better,
            version=declared.version,
        )

    def _interval(self, declared: CausalMetric) -> Interval:
        values = declared(self.replicates)
        if isinstance(values, str):
            return Interval(reason=values)
        return interval_of(values, np.ones(values.shape, dtype=np.bool_), self.clusters, self.level)

    def _ends(self, declared: CausalMetric) -> tuple[float | None, float | None]:
        """Floor and ceiling on the same rows; a ceiling that is not above its floor is none."""
        floor, ceiling = declared.floor, declared.ceiling
        if declared.name in _ENDS:
            floor, ceiling = (_largest(one) for one in _ENDS[declared.name](self.sample))
        return floor, None if floor is not None and ceiling is not None and ceiling <= floor else ceiling


_ENDS: dict[str, Callable[[CausalMeans], tuple[list[Scored], list[Scored]]]] = {
    causal.disentangle_err.name: lambda means: (
        [means.disentangle(causal_tables.NOOP), means.disentangle(causal_tables.RANDOM)],
        [means.disentangle(causal_tables.ORACLE)],
    ),
    causal.cause_err.name: lambda means: (
        [means.of("cause", causal_tables.NOOP)],
        [means.of("cause", causal_tables.FULL), means.of("cause", causal_tables.ORACLE)],
    ),
    causal.cause_all_latents.name: lambda means: (
        [means.of("cause", causal_tables.NOOP)],
        [means.of("cause", causal_tables.FULL)],
    ),
    causal.isolate_err.name: lambda means: (
        [means.of("isolate", causal_tables.FULL)],
        [means.of("isolate", causal_tables.NOOP)],
    ),
    causal.disentanglement_score.name: lambda means: ([means.disentangle(causal_tables.NOOP)], []),
}
"""By metric: what its floor and its ceiling are the largest of."""


def _report(tables: Mapping[str, pd.DataFrame], resampling: Resampling) -> _Report:
    examples = causal_tables.read_examples(tables[causal_tables.EXAMPLES])
    return _Report(examples.means(), examples.replicates(resampling), examples.n_clusters, resampling.level)


def _scaled(value: MetricValue) -> MetricValue:
    found = normalised(value)
    if found.value is None and value.value is not None and value.ceiling is None:
        return found.model_copy(update={"reason": NO_ORACLE})
    return found


def _fidelity(table: pd.DataFrame, resampling: Resampling) -> MetricValue:
    causal_tables.checked(table, causal_tables.FIDELITY_COLUMNS, causal_tables.FIDELITY)
    sums = table.groupby("cluster")[["squared_error", "squared_distance"]].sum()
    error, distance = (sums[name].to_numpy(dtype=np.float64) for name in sums.columns)
    missing = "all activations are the same"
    return metric_value(
        causal.explained_variance_rows, Terms(distance - error, CI_SOURCE, distance, missing), resampling
    )


def _count(swapped: pd.DataFrame, n_variables: int) -> MetricValue:
    return MetricValue(
        value=causal.latents_swapped(swapped, n_variables),
        ci_reason=NOT_RESAMPLED,
        unit=causal.latents_swapped.unit,
        version=causal.latents_swapped.version,
    )


def _largest(values: Sequence[Scored]) -> float | None:
    found = [float(value) for value in values if not isinstance(value, str)]
    return max(found, default=None)
