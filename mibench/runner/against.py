"""The answer a researcher came for: is my method better, by how much, how surely, and at what cost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mibench.metrics.circuit import MetricDifference, compare_circuits
from mibench.metrics.per_example import CircuitTables
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.plan import Job

SHOWN = ("distance_absolute", "cmd", "cpr", "area_bounded_signed")
"""Metrics that a comparison shows first."""


@dataclass(frozen=True)
class Comparison:
    """Two methods on the same examples.

    Attributes:
        first: Record of the method.
        second: Record of the one it is compared with.
        differences: First minus second by metric, with paired intervals and verdicts.
    """

    first: RunRecord
    second: RunRecord
    differences: dict[str, MetricDifference]


def comparisons(jobs: Sequence[tuple[Job, RunRecord]], against: Sequence[str], store: Store) -> list[Comparison]:
    """Compare every method with each of ``against`` on the same task and model.

    Args:
        jobs: Jobs with their records; of a method with several seeds the first is compared.
        against: Names of methods.
        store: Holds the tables.

    Returns:
        Comparisons of good records.
    """
    good = _first_seeds(jobs)
    found = []
    for first in good:
        for second in good:
            same = (first.cell.task.name, first.cell.model) == (second.cell.task.name, second.cell.model)
            named = second.cell.method.name in against and first.cell.method.name not in against
            if same and named:
                sides = [_tables(record, store) for record in (first, second)]
                found.append(Comparison(first, second, compare_circuits(*sides)))
    return found


def _first_seeds(jobs: Sequence[tuple[Job, RunRecord]]) -> list[RunRecord]:
    records = [record for job, record in jobs if record.status == "ok" and not job.floor]
    return [record for record in records if record.cell.method.seed in {None, 0}]


def _tables(record: RunRecord, store: Store) -> CircuitTables:
    return CircuitTables.stored(store.table(record, "examples"), store.table(record, "endpoints"))
