"""Floors and ceilings: what random rankings, and the known truth, reach on the same task, model and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from mibench.core.specs import Cell
from mibench.methods.method import METHODS
from mibench.metrics.metric import METRICS
from mibench.records.record import MetricValue, RunRecord
from mibench.records.store import Store
from mibench.runner.cells import cell_of
from mibench.runner.plan import CEILING, FLOOR, Job, is_control
from mibench.runner.settings import RunSettings
from mibench.runner.workbench import Workbench


def with_controls(record: RunRecord, draws: Sequence[RunRecord], truth: RunRecord | None) -> RunRecord:
    """Return ``record`` with the mean of ``draws`` as the floor of each metric, and what the truth has as its ceiling.

    Where no draw has a number, the floor is the one that the metric declares; so is the ceiling without a known
    truth. A draw has no floor itself.

    Args:
        record: A record with numbers.
        draws: Records of random rankings on the same ground.
        truth: Record of the known truth on the same ground, if there is one.
    """
    if is_draw(record.cell):
        bare = {name: one.model_copy(update={"floor": None}) for name, one in record.metrics.items()}
        return record.model_copy(update={"metrics": bare, "floor_draws": None})
    good = [draw for draw in draws if draw.status == "ok"]
    metrics = {name: _with_floor(name, one, good) for name, one in record.metrics.items()}
    if truth is not None and truth.status == "ok":
        metrics = {name: _with_ceiling(one, truth.metrics.get(name)) for name, one in metrics.items()}
    return record.model_copy(update={"metrics": metrics, "floor_draws": len(good)})


def _with_ceiling(metric: MetricValue, reached: MetricValue | None) -> MetricValue:
    found = metric.ceiling if reached is None or reached.value is None else reached.value
    return metric.model_copy(update={"ceiling": found})


def _with_floor(name: str, metric: MetricValue, draws: Sequence[RunRecord]) -> MetricValue:
    values = [draw.metrics[name].value for draw in draws if name in draw.metrics]
    found = [value for value in values if value is not None]
    known = METRICS.components.get(name)
    declared = None if known is None else known.metadata.get("floor")
    return metric.model_copy(update={"floor": fmean(found) if found else declared})


def controlled(record: RunRecord, job: Job, bench: Workbench, settings: RunSettings, store: Store) -> RunRecord:
    """Return a record with the floors and ceilings that this run's controls measure, as far as they exist.

    The known truth itself has those that metrics declare: it is measured first.
    """
    if is_control(job.method):
        return with_controls(record, [], None)
    random, truth = (replace(job, method=METHODS.load(name), params={}) for name in (FLOOR, CEILING))
    draws = [cell_of(replace(random, seed=seed), bench, settings) for seed in range(settings.floor_draws)]
    found = [store.read(cell) for cell in draws if store.has(cell)]
    if not settings.floor_draws or bench.truth(job.task) is None:
        return with_controls(record, found, None)
    best = cell_of(replace(truth, params=truth.method.parameters({}), seed=0), bench, settings)
    return with_controls(record, found, store.read(best) if store.has(best) else None)


def is_draw(cell: Cell) -> bool:
    """Whether a cell is the built-in random ranking, not somebody's namesake."""
    method = cell.method
    return method.name == FLOOR and method.code_digest is None and method.artifact_digest is None
