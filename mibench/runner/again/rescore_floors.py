"""Floors and ceilings of rescored metrics: what the controls of the same ground reach under the new formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mibench.core.specs import Cell, Track
from mibench.records.record import RunRecord
from mibench.runner.cells.controls import CEILING, FLOOR, Metrics, controlled_metrics, is_built_in, without_floors


@dataclass(frozen=True)
class Controls:
    """The controls of one circuit.

    Attributes:
        draws: Records of the random rankings that its floors are the mean of; empty where one of them is missing.
        truth: Record of the known truth, where there is one.
    """

    draws: tuple[RunRecord, ...] = ()
    truth: RunRecord | None = None

    @property
    def all(self) -> tuple[RunRecord, ...]:
        """Every record on which floors and ceilings rest."""
        return (*self.draws, *(() if self.truth is None else (self.truth,)))


def controls_of(record: RunRecord, others: Sequence[RunRecord]) -> Controls:
    """Find the controls of a record among others; there are none off the circuit track, and none of a control."""
    own, n = record.cell, record.floor_draws
    if own.track is not Track.CIRCUIT or not n or is_built_in(own, CEILING):
        return Controls()
    near = [other for other in others if other.status == "ok" and _same_ground(other.cell, own)]
    draws = {other.cell.method.seed: other for other in near if is_built_in(other.cell, FLOOR)}
    truth = next((other for other in near if is_built_in(other.cell, CEILING)), None)
    wanted = [draws.get(seed) for seed in range(n)]
    return Controls(tuple(draw for draw in wanted if draw is not None) if None not in wanted else (), truth)


def with_controls_of(own: Cell, metrics: Metrics, draws: Sequence[Metrics], truth: Metrics | None) -> Metrics:
    """Return the metrics of a cell with floors and ceilings; off the circuit track, as they are.

    Args:
        own: The cell.
        metrics: Its metrics, as computed.
        draws: Metrics of the random rankings.
        truth: Metrics of the known truth.
    """
    if own.track is not Track.CIRCUIT:
        return metrics
    return without_floors(metrics) if is_built_in(own, FLOOR) else controlled_metrics(metrics, draws, truth)


def _same_ground(one: Cell, own: Cell) -> bool:
    """Whether a control measures the floor or the ceiling of ``own``."""
    return _ground(one) == _ground(own) and one.task.train_digest in {None, own.task.train_digest}


def _ground(cell: Cell) -> tuple[object, ...]:
    task = cell.task
    rules = (cell.level, cell.ablation, cell.bos, cell.convention)
    return (cell.track, cell.model, task.name, task.version, task.split, task.digest, rules)
