"""How often a method was scored on a test split: as the plan has it, whatever the order of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

from mibench.core.hashing import digest
from mibench.core.specs import Cell, MethodRef
from mibench.records.store import Store
from mibench.runner.plan import Job

_Ground = tuple[str, str, str | None, str]
"""Task, model and variable, as the plan names them, and the method."""


class Looks:
    """Counts variants of methods on test splits; seeds are no variants.

    A cell's number is one more than the variants that earlier runs scored there, and those of the plan before its own;
    where the record of another variant has that number, it is the next that none has. The record of a variant keeps
    its number, so that a run that goes on after a stop counts the same, whichever of its cells were done.

    Args:
        store: Records of earlier runs.
        planned: Jobs of the plan in its order, with their methods as cells name them.
    """

    def __init__(self, store: Store, planned: Iterable[tuple[Job, MethodRef]]) -> None:
        self._store = store
        self._planned: dict[_Ground, dict[str, None]] = {}
        for job, method in planned:
            self._planned.setdefault(_ground(job, method), {})[_variant(method)] = None
        self._scored: dict[tuple[Path, _Ground], dict[str, int | None]] = {}

    def of(self, job: Job, cell: Cell) -> int | None:
        """How many variants of the method were scored on this test split, this one included; None off the test split.

        Raises:
            StoreError: The record of the cell is broken.
        """
        if cell.task.split != "test":
            return None
        known = self._store.read(cell) if self._store.has(cell) else None
        if known is not None and known.status == "ok" and known.looks_at_test is not None:
            return known.looks_at_test
        own = _variant(cell.method)
        planned = self._planned.setdefault(_ground(job, cell.method), {own: None})
        return _numbers([*planned, *({own} - planned.keys())], self._of_records(job, cell))[own]

    def _of_records(self, job: Job, cell: Cell) -> dict[str, int | None]:
        """The number of each variant that has a good record, as far as its record has one."""
        key = (self._store.path(cell).parent, _ground(job, cell.method))
        if key not in self._scored:
            found: dict[str, int | None] = {}
            for one in self._store.beside(cell):
                if one.status == "ok" and _same_test(one.cell, cell):
                    variant = _variant(one.cell.method)
                    numbers = [n for n in (found.get(variant), one.looks_at_test) if n is not None]
                    found[variant] = min(numbers, default=None)
            self._scored[key] = found
        return self._scored[key]


def _numbers(planned: Sequence[str], scored: Mapping[str, int | None]) -> dict[str, int]:
    """The number of each planned variant: that of its record, else the next one that is free."""
    found = {variant: number for variant in planned if (number := scored.get(variant)) is not None}
    taken = {number for number in scored.values() if number is not None}
    earlier = len(scored.keys() - set(planned))
    for place, variant in enumerate(planned):
        if variant not in found:
            found[variant] = next(number for number in count(earlier + place + 1) if number not in taken)
            taken.add(found[variant])
    return found


def _ground(job: Job, method: MethodRef) -> _Ground:
    return job.task, job.model, job.variable, method.name


def _same_test(one: Cell, own: Cell) -> bool:
    return one.task.split == "test" and _variable(one) == _variable(own)


def _variable(cell: Cell) -> str | None:
    return None if cell.variable is None else cell.variable.name


def _variant(method: MethodRef) -> str:
    return digest(method.model_copy(update={"seed": None}).model_dump(mode="json"))
