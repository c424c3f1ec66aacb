"""Floors: what random rankings reach on the same task, model and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from mibench.records.record import MetricValue, RunRecord


def floors_of(records: Sequence[RunRecord]) -> dict[str, float]:
    """Mean of every metric over records of random rankings; metrics without a number are left out."""
    good = [record for record in records if record.status == "ok"]
    names = sorted({name for record in good for name in record.metrics})
    values = {name: [record.metrics[name].value for record in good if name in record.metrics] for name in names}
    return {name: fmean(found) for name, each in values.items() if (found := [one for one in each if one is not None])}


def with_floors(metrics: dict[str, MetricValue], floors: Mapping[str, float | None]) -> dict[str, MetricValue]:
    """Replace the declared floor of each metric by the measured one, where ``floors`` has an entry."""
    return {
        name: one.model_copy(update={"floor": floors[name]}) if name in floors else one for name, one in metrics.items()
    }
