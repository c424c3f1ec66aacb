"""How often a method was scored on a test split: as the plan has it, whatever the order of events."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mibench.core.hashing import digest
from mibench.core.specs import Cell, MethodRef
from mibench.records.store import Store
from mibench.runner.plan import Job

_Ground = tuple[str, str, str | None, str]
"""Task, model and variable, as the plan names them, and the method."""


class Looks:
    """Counts variants of methods on test splits; seeds are no variants.

    A cell's number is that of the variants that earlier runs scored there, and of those of the plan up to its own.
    Records of the plan itself do not count as earlier ones, so that a run that goes on after a stop counts the same.

    Args:
        store: Records of earlier runs.
        planned: Jobs of the plan in its order, with their methods as cells name them.
    """

    def __init__(self, store: Store, planned: Iterable[tuple[Job, MethodRef]]) -> None:
        self._store = store
        self._planned: dict[_Ground, dict[str, None]] = {}
        for job, method in planned:
            self._planned.setdefault(_ground(job, method), {})[_variant(method)] = None
        self._earlier: dict[tuple[Path, _Ground], int] = {}

    def of(self, job: Job, cell: Cell) -> int | None:
        """How many variants of the method were scored on this test split, this one included; None off the test split.

        Raises:
            StoreError: The record of the cell is broken.
        """
        if cell.task.split != "test":
            return None
        known = self._store.read(cell).looks_at_test if self._store.has(cell) else None
        if known is not None:
            return known
        planned = list(self._planned.setdefault(_ground(job, cell.method), {_variant(cell.method): None}))
        own = _variant(cell.method)
        place = planned.index(own) if own in planned else len(planned)
        return self._of_earlier_runs(job, cell, {*planned, own}) + place + 1

    def _of_earlier_runs(self, job: Job, cell: Cell, planned: set[str]) -> int:
        key = (self._store.path(cell).parent, _ground(job, cell.method))
        if key not in self._earlier:
            seen = {_variant(one.cell.method) for one in self._store.beside(cell) if _same_test(one.cell, cell)}
            self._earlier[key] = len(seen - planned)
        return self._earlier[key]


def _ground(job: Job, method: MethodRef) -> _Ground:
    return job.task, job.model, job.variable, method.name


def _same_test(one: Cell, own: Cell) -> bool:
    return one.task.split == "test" and _variable(one) == _variable(own)


def _variable(cell: Cell) -> str | None:
    return None if cell.variable is None else cell.variable.name


def _variant(method: MethodRef) -> str:
    return digest(method.model_copy(update={"seed": None}).model_dump(mode="json"))
