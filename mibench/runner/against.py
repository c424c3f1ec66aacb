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
        against: Methods, as the user wrote them.
        store: Holds the tables.

    Returns:
        Comparisons of good records.
    """
    good = _first_seeds(jobs)
    found = []
    for own, first in good:
        for other, second in good:
            same = (own.task, own.model) == (other.task, other.model)
            if same and other.ref in against and own.ref not in against:
                sides = [_tables(record, store) for record in (first, second)]
                found.append(Comparison(first, second, compare_circuits(*sides)))
    return found


def _first_seeds(jobs: Sequence[tuple[Job, RunRecord]]) -> list[tuple[Job, RunRecord]]:
    good = [(job, record) for job, record in jobs if record.status == "ok" and not job.floor]
    first: dict[tuple[str, ...], tuple[Job, RunRecord]] = {}
    for job, record in good:
        first.setdefault((job.task, job.model, job.ref), (job, record))
    return list(first.values())


def _tables(record: RunRecord, store: Store) -> CircuitTables:
    return CircuitTables.stored(store.table(record, "examples"), store.table(record, "endpoints"))
