"""Floors and ceilings: what random rankings, and the known truth, reach on the same task, model and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from mibench.core.specs import Cell
from mibench.methods.method import METHODS
from mibench.records.record import RunRecord
from mibench.records.store import Store, read_record
from mibench.runner.cells.controls import CEILING, FLOOR, controlled_metrics, is_built_in, without_floors
from mibench.runner.cells.identity import cell_of
from mibench.runner.cells.workbench import Workbench
from mibench.runner.plan import Job, is_control
from mibench.runner.settings import RunSettings


def with_controls(record: RunRecord, draws: Sequence[RunRecord], truth: RunRecord | None) -> RunRecord:
    """Return ``record`` with floors and ceilings, as `runner.controls.controlled_metrics` has them.

    Args:
        record: A record with numbers.
        draws: Records of random rankings on the same ground; failed ones do not count.
        truth: Record of the known truth on the same ground, if there is one.
    """
    if is_draw(record.cell):
        return record.model_copy(update={"metrics": without_floors(record.metrics), "floor_draws": None})
    good = [draw.metrics for draw in draws if draw.status == "ok"]
    best = truth.metrics if truth is not None and truth.status == "ok" else None
    metrics = controlled_metrics(record.metrics, good, best)
    return record.model_copy(update={"metrics": metrics, "floor_draws": len(good)})


def controlled(record: RunRecord, job: Job, bench: Workbench, settings: RunSettings, store: Store) -> RunRecord:
    """Return a record with the floors and ceilings that this run's controls measure, as far as they exist.

    The known truth itself has those that metrics declare: it is measured first.
    """
    if is_control(job.method):
        return with_controls(record, [], None)
    random, truth = (replace(job, method=METHODS.load(name), params={}) for name in (FLOOR, CEILING))
    draws = [cell_of(replace(random, seed=seed), bench, settings) for seed in range(settings.floor_draws)]
    found = [known for cell in draws if (known := _control(cell, store)) is not None]
    if not settings.floor_draws or bench.truth(job.task) is None:
        return with_controls(record, found, None)
    best = cell_of(replace(truth, params=truth.method.parameters({}), seed=0), bench, settings)
    return with_controls(record, found, _control(best, store))


def _control(cell: Cell, store: Store) -> RunRecord | None:
    """The record of a control; None: there is none."""
    path = store.path(cell)
    try:
        state = path.stat()
    except OSError:
        return None
    return _read(path, state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(maxsize=128)
def _read(path: Path, *state: int) -> RunRecord:  # noqa: ARG001  a file that was replaced is read again
    """The same few controls are asked for by every cell of a ground."""
    return read_record(path)


def is_draw(cell: Cell) -> bool:
    """Whether a cell is the built-in random ranking, not somebody's namesake."""
    return is_built_in(cell, FLOOR)
