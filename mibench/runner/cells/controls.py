"""The controls of a circuit: random rankings are the floor of its metrics, the known truth is their ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from mibench.core.specs import Cell
from mibench.metrics.metric import METRICS
from mibench.records.record import MetricValue

FLOOR = "random"
"""The method whose draws measure the floor."""
CEILING = "known-truth"
"""The method that measures the ceiling, on models whose mechanism is known."""

Metrics = Mapping[str, MetricValue]


def is_built_in(cell: Cell, name: str) -> bool:
    """Whether a cell is of the built-in method of that name, not of somebody's namesake."""
    method = cell.method
    return method.name == name and method.code_digest is None and method.artifact_digest is None


def controlled_metrics(metrics: Metrics, draws: Sequence[Metrics], truth: Metrics | None) -> dict[str, MetricValue]:
    """Return metrics with the mean of ``draws`` as floors, and what the truth has as ceilings.

    Where no draw has a number, the floor is the one that the metric declares; so is the ceiling without a known truth.
    A metric that knows its floor exactly keeps it. A method that orders true edges well can pass the truth's number a
    little: there they are in random order.

    Args:
        metrics: By name.
        draws: Metrics of random rankings on the same ground.
        truth: Metrics of the known truth on the same ground, if there is one.
    """
    floored = {
        name: _floored(name, one, [draw[name].value for draw in draws if name in draw]) for name, one in metrics.items()
    }
    return {name: _capped(one, None if truth is None else truth.get(name)) for name, one in floored.items()}


def without_floors(metrics: Metrics) -> dict[str, MetricValue]:
    """Return the metrics of a draw, which has no floor itself."""
    return {name: one.model_copy(update={"floor": None}) for name, one in metrics.items()}


def _floored(name: str, metric: MetricValue, values: Sequence[float | None]) -> MetricValue:
    known = METRICS.components.get(name)
    declared = {} if known is None else known.metadata
    if metric.floor is not None and declared.get("exact_floor"):
        return metric
    found = [value for value in values if value is not None]
    return metric.model_copy(update={"floor": fmean(found) if found else declared.get("floor")})


def _capped(metric: MetricValue, reached: MetricValue | None) -> MetricValue:
    found = metric.ceiling if reached is None or reached.value is None else reached.value
    return metric.model_copy(update={"ceiling": found})
