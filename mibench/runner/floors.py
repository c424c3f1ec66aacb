"""Floors: what random rankings reach on the same task, model and split."""

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
from mibench.runner.plan import FLOOR, Job
from mibench.runner.settings import RunSettings
from mibench.runner.workbench import Workbench


def with_floors(record: RunRecord, draws: Sequence[RunRecord]) -> RunRecord:
    """Return ``record`` with the mean of ``draws`` as the floor of each metric.

    Where no draw has a number, the floor is the one that the metric declares. A draw has no floor itself.

    Args:
        record: A record with numbers.
        draws: Records of random rankings on the same ground.
    """
    if is_draw(record.cell):
        bare = {name: one.model_copy(update={"floor": None}) for name, one in record.metrics.items()}
        return record.model_copy(update={"metrics": bare, "floor_draws": None})
    good = [draw for draw in draws if draw.status == "ok"]
    metrics = {name: _with_floor(name, one, good) for name, one in record.metrics.items()}
    return record.model_copy(update={"metrics": metrics, "floor_draws": len(good)})


def _with_floor(name: str, metric: MetricValue, draws: Sequence[RunRecord]) -> MetricValue:
    values = [draw.metrics[name].value for draw in draws if name in draw.metrics]
    found = [value for value in values if value is not None]
    known = METRICS.components.get(name)
    declared = None if known is None else known.metadata.get("floor")
    return metric.model_copy(update={"floor": fmean(found) if found else declared})


def draws_of(job: Job, bench: Workbench, settings: RunSettings, store: Store) -> list[RunRecord]:
    """The records of this run's random rankings that differ from the job in the method only, as far as they exist."""
    random = replace(job, method=METHODS.load(FLOOR), params={})
    cells = (cell_of(replace(random, seed=seed), bench, settings) for seed in range(settings.floor_draws))
    return [store.read(cell) for cell in cells if store.has(cell)]


def is_draw(cell: Cell) -> bool:
    """Whether a cell is the built-in random ranking, not somebody's namesake."""
    method = cell.method
    return method.name == FLOOR and method.code_digest is None and method.artifact_digest is None
