"""Run the jobs of a plan, by the executor that the settings name; what has a good record is not run again."""

from __future__ import annotations

import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from mibench.core.errors import StoreError
from mibench.records.record import Problem, RunRecord
from mibench.records.store import Store, read_record
from mibench.runner.cells.benches import Benches
from mibench.runner.cells.reuse import run_or_reuse, with_origin
from mibench.runner.dictionaries.checks import check_jobs
from mibench.runner.driving.drive import Drive
from mibench.runner.driving.driver_file import is_gone, sign
from mibench.runner.driving.events import Event, problem_of
from mibench.runner.driving.workplace import Plan, Workplace
from mibench.runner.executors.executor import EXECUTORS, Means
from mibench.runner.executors.work import in_this_process, settings_text
from mibench.runner.names import check_names
from mibench.runner.observe import Observer
from mibench.runner.plan import plan_cells
from mibench.runner.report import Report
from mibench.runner.settings import RunSettings

__all__ = ["Benches", "Report", "check_names", "run", "run_or_reuse"]

ORDERS = ".orders"
"""Folder of what workers tell drivers, in that of the records."""


def run(settings: RunSettings, observer: Observer, benches: Benches | None = None) -> Report:
    """Run all cells of ``settings``.

    Args:
        settings: What to run.
        observer: Told of everything.
        benches: Where models are kept, of jobs that are done in this process; None: nowhere yet.

    Returns:
        What was done, in the order of the plan. A cell that fails leaves a record with the reason, and the others go
        on; so does one of ``settings.cells`` whose model or data cannot be had here.

    Raises:
        UsageError: The settings name something that does not exist, or the records cannot go where they are to go.
        StoreError: Records cannot be read or written.
        MibenchError: The executor cannot be used.
    """
    jobs = plan_cells(settings)
    check_names(settings)
    check_jobs([job for job, _ in jobs])
    text = settings_text(settings)
    make = EXECUTORS.load(settings.executor)
    with (
        _folder(settings.out) as folder,
        _termination(),
        in_this_process(text, Workplace(settings, jobs, benches or Benches(settings))),
    ):
        means = Means(settings.workers, folder, tuple(settings.devices), settings.scheduler, observer)
        executor = make(means)
        try:
            ended = Drive(settings, text, jobs, executor, observer, folder).run()
        finally:
            executor.close()
    return _report(jobs, ended, Store(settings.out))


def _report(jobs: Plan, ended: Mapping[int, Event], store: Store) -> Report:
    report = Report()
    for place, (job, _) in enumerate(jobs):
        event = ended[place]
        if event.event == "problem":
            report.problems.append((job, problem_of(event)))
        elif event.record is not None:
            record = _record(event, store)
            report.jobs.append((job, record))
            if event.reused:
                report.reused.add(record.cell.id)
    return report


def _record(event: Event, store: Store) -> RunRecord:
    known = read_record(store.folder / (event.record or ""))
    if event.reused:
        return with_origin(known, store)
    if event.status == "failed" and known.status == "ok":  # which was not replaced
        problem = Problem(what=event.what or "", why=event.why or "", do=event.do or "")
        return RunRecord(cell=known.cell, status="failed", problem=problem, looks_at_test=known.looks_at_test)
    return known


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """A folder for what workers tell this driver; those of drivers that are gone are removed."""
    home = out / ORDERS
    for other in home.glob("*"):
        if is_gone(other):
            shutil.rmtree(other, ignore_errors=True)
    folder = home / secrets.token_hex(6)
    try:
        sign(folder)
    except StoreError:  # a run that ended just now may have removed the home
        sign(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for place in (home, out):  # where nothing else is in them
            with suppress(OSError):
                place.rmdir()


@contextmanager
def _termination() -> Iterator[None]:
    """End as after Ctrl-C where the process is asked to terminate, unless somebody else sees to it."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt
