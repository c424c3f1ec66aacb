"""The answer a researcher came for: is my method better, by how much, how surely, and at what cost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mibench.core.hashing import canonical_json
from mibench.core.specs import Track
from mibench.metrics.circuit import MetricDifference, compare_circuits
from mibench.metrics.per_example import CircuitTables
from mibench.metrics.variable.scores import compare_variables
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.plan import Job


@dataclass(frozen=True)
class Comparison:
    """Two methods on the same examples.

    Attributes:
        first: Record of the method.
        second: Record of the one it is compared with.
        differences: First minus second by metric, with paired intervals and verdicts.
        seeds: How many seeds each has; the first ones are compared.
    """

    first: RunRecord
    second: RunRecord
    differences: dict[str, MetricDifference]
    seeds: tuple[int, int] = (1, 1)


def comparisons(
    jobs: Sequence[tuple[Job, RunRecord]], against: Sequence[str], store: Store, asked: Sequence[str] = ()
) -> list[Comparison]:
    """Compare every method with each of ``against`` on the same task and model.

    Args:
        jobs: Jobs with their records; of a method with several seeds the first is compared.
        against: Methods, as the user wrote them.
        store: Holds the tables.
        asked: Methods that are compared though they are among ``against``.

    Returns:
        Comparisons of good records.
    """
    good = _by_method(jobs)
    found = []
    for own, firsts in good.items():
        for other, seconds in good.items():
            compared = own.ref in asked or own.ref not in against
            if own.ground == other.ground and own != other and other.ref in against and compared:
                first, second = firsts[0], seconds[0]
                differences = _differences(first, second, store)
                found.append(Comparison(first, second, differences, (len(firsts), len(seconds))))
    return found


def _differences(first: RunRecord, second: RunRecord, store: Store) -> dict[str, MetricDifference]:
    if first.cell.track is Track.VARIABLE:
        tables = [VariableTables.stored(record, store) for record in (first, second)]
        return compare_variables(tables[0], tables[1])
    sides = [CircuitTables.stored(record, store) for record in (first, second)]
    return compare_circuits(sides[0], sides[1])


def ground_of(record: RunRecord) -> tuple[object, ...]:
    """What records have to share to be compared: evaluated examples, their linear target, the model as loaded."""
    task, where = record.cell.task, record.cell.variable
    # A linear target is fitted on training rows.
    fitted = (task.train_digest, where.target_heads) if where is not None and where.target_heads else None
    return (record.cell.track, task.name, task.split, task.digest, record.cell.model, fitted)


@dataclass(frozen=True)
class _Compared:
    """A method with its parameters on one ground; its seeds are one."""

    ground: tuple[object, ...]
    ref: str
    params: str


def _by_method(jobs: Sequence[tuple[Job, RunRecord]]) -> dict[_Compared, list[RunRecord]]:
    found: dict[_Compared, list[RunRecord]] = {}
    for job, record in jobs:
        if record.status == "ok" and not job.control:
            key = _Compared(ground_of(record), job.ref, canonical_json(dict(job.params)).decode())
            found.setdefault(key, []).append(record)
    return found
