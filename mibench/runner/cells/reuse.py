"""A cell is run, or its record taken from where it is already."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mibench.core.specs import Track
from mibench.records.copying import copy_record
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cells.floors import controlled
from mibench.runner.cells.log import log_try
from mibench.runner.cells.run import give_up, run_cell
from mibench.runner.cells.work import CellRun
from mibench.runner.driving.claims import held
from mibench.runner.report import Report
from mibench.runner.settings import EXTRAS, RunSettings


@dataclass(frozen=True)
class Settled:
    """A cell that has its record.

    Attributes:
        record: The record.
        reused: Whether it was there already.
    """

    record: RunRecord
    reused: bool


def settle(work: CellRun, store: Store, given_up: str | None = None) -> Settled | None:
    """Run a cell, or take its record from the store, as the settings say. Whoever calls it holds the cell.

    Args:
        work: The cell.
        store: Where its record is to be.
        given_up: Why it is not to be run; its record says so.

    Returns:
        The record; None: nothing was asked for.

    Raises:
        StoreError: The record cannot be read or written.
    """
    known = store.read(work.cell) if store.has(work.cell) else _from_baseline(work, store)
    if _is_wanted(known, work.settings):
        return Settled(_made(work if known is None else _keeping(known, work), store, given_up), reused=False)
    if known is not None:
        return Settled(_reused(known, work, store), reused=True)
    return None


def is_to_run(work: CellRun, store: Store) -> bool:
    """Whether a cell would be run, and not its record taken.

    Raises:
        StoreError: The record cannot be read or written.
    """
    return _is_wanted(store.read(work.cell) if store.has(work.cell) else _from_baseline(work, store), work.settings)


def _is_wanted(known: RunRecord | None, settings: RunSettings) -> bool:
    state = "missing" if known is None or _lacks_extra(known, settings) else known.status
    wanted = {"all": True, "missing": state in {"missing", "failed", "skipped"}, "failed": state == "failed"}
    return wanted[settings.only]


def _made(work: CellRun, store: Store, given_up: str | None) -> RunRecord:
    started, start = datetime.now(UTC), time.monotonic()
    record = run_cell(work, store) if given_up is None else give_up(work, given_up, store)
    log_try(record, started, time.monotonic() - start, store)
    return record


def run_or_reuse(work: CellRun, store: Store, report: Report) -> None:
    """Settle a cell, after whoever else is at it; add its record to ``report``.

    Raises:
        StoreError: The record cannot be read or written.
    """
    with held(store.folder, work.cell.id):
        settled = settle(work, store)
    if settled is None:
        return
    if settled.reused:
        report.reused.add(settled.record.cell.id)
    report.jobs.append((work.job, settled.record))
    work.observer.done(work.job.label, settled.record, reused=settled.record.cell.id in report.reused)


def with_origin(known: RunRecord, store: Store) -> RunRecord:
    """A record that was in the store, with a word on where it is from."""
    if known.volatile.reused_from:
        return known
    made = known.volatile.provenance
    origin = {"reused_from": str(store.folder), "reused_since": None if made is None else made.created_at}
    return known.model_copy(update={"volatile": known.volatile.model_copy(update=origin)})


def _reused(known: RunRecord, work: CellRun, store: Store) -> RunRecord:
    """A record that was there: its floor made this run's, and a word on where it is from."""
    if known.status == "ok" and known.cell.track is Track.CIRCUIT:
        fresh = controlled(known, work.job, work.bench, work.settings, store)
        known = known if fresh == known else store.write(fresh)
    return with_origin(known, store)


def _from_baseline(work: CellRun, store: Store) -> RunRecord | None:
    """Take a record with numbers from the baseline, with its tables; None: there is none, or all cells are run."""
    if work.settings.baseline is None or work.settings.only == "all":
        return None
    baseline = Store(work.settings.baseline)
    known = baseline.read(work.cell) if baseline.has(work.cell) else None
    if known is None or known.status != "ok":
        return None
    made = known.volatile.provenance
    origin = {"reused_from": str(baseline.folder), "reused_since": None if made is None else made.created_at}
    taken = known.model_copy(update={"volatile": known.volatile.model_copy(update=origin)})
    copy_record(taken, baseline, store)
    return taken


def _lacks_extra(known: RunRecord, settings: RunSettings) -> bool:
    return known.status == "ok" and not {_table(name) for name in settings.extras} <= set(known.tables)


def _table(extra: str) -> str:
    return extra.replace("-", "_")


def _keeping(known: RunRecord, work: CellRun) -> CellRun:
    """The same work, with the extra tables that the record has already."""
    extras = [name for name in EXTRAS if _table(name) in known.tables or name in work.settings.extras]
    return replace(work, settings=work.settings.model_copy(update={"extras": extras}))
