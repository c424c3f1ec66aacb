"""Where jobs of a plan are done, one after another: models stay loaded, and each cell is held while it is run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mibench.core.errors import MibenchError, StoreError
from mibench.core.specs import MethodRef
from mibench.engine.meter import Progress, no_progress
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cells.batch_sizes import of_at_most
from mibench.runner.cells.benches import Benches
from mibench.runner.cells.identity import cell_of, method_of
from mibench.runner.cells.looks import Looks
from mibench.runner.cells.reuse import is_to_run, settle
from mibench.runner.cells.skipped import forget_skip, skip
from mibench.runner.cells.work import CellRun
from mibench.runner.driving.claims import claim
from mibench.runner.driving.driver_file import is_gone
from mibench.runner.driving.events import TIME, Event, EventFile, Kind
from mibench.runner.executors.executor import Order
from mibench.runner.forecasts.fits import refusal
from mibench.runner.forecasts.outlook import Kept
from mibench.runner.needs import Checks
from mibench.runner.observe import Observer, Quiet
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

Plan = Sequence[tuple[Job, RunSettings]]
"""Jobs, each with the settings that it runs under."""
_POLL_SECONDS = 0.2
_WAITING = "waiting for another run"
OVERDUE = 75
"""Exit status of a worker whose cell did not stop when its time was up."""


@dataclass
class Workplace:
    """A plan and what its jobs share.

    Attributes:
        settings: The run.
        jobs: The plan.
        benches: Where models are kept.
        device: Device of torch in place of that of the settings.
        expendable: Whether the process may be ended where a cell cannot be stopped.
        begun: Jobs that were begun.
    """

    settings: RunSettings
    jobs: Plan
    benches: Benches
    device: str | None = None
    expendable: bool = False
    begun: int = 0

    @cached_property
    def store(self) -> Store:
        """The records."""
        return Store(self.settings.out)

    @cached_property
    def checks(self) -> Checks | None:
        """What can be had here; None: what cannot be had fails instead of being skipped."""
        return Checks() if self.settings.cells else None

    @cached_property
    def looks(self) -> Looks:
        """Counts looks at the test split."""
        return Looks(self.store, planned_methods(self.jobs))

    @cached_property
    def kept(self) -> Kept:
        """Good records that were there when it was first asked."""
        return Kept(self.settings)

    def do(self, order: Order, observer: Observer | None) -> None:
        """Come to each job of an order; those that others are at come last. Ends early where the driver is gone.

        Raises:
            StoreError: Records or events cannot be read or written.
        """
        events = EventFile(order.events)
        waiting = [_Doing(self, order, place, events, observer) for place in order.jobs]
        while waiting:
            busy = []
            for one in waiting:
                if is_gone(order.events.parent):
                    return
                if not one.ended():
                    busy.append(replace(one, again=True))
            if len(busy) == len(waiting):
                time.sleep(_POLL_SECONDS)
            waiting = busy


def planned_methods(jobs: Plan) -> list[tuple[Job, MethodRef]]:
    """Jobs with their methods as cells name them; those that no cell can name are left out."""
    found = []
    for job, _ in jobs:
        try:
            found.append((job, method_of(job)))
        except MibenchError:  # the job itself will say so
            continue
    return found


@dataclass(frozen=True)
class _Doing:
    """A job of an order at work."""

    shop: Workplace
    order: Order
    place: int
    events: EventFile
    observer: Observer | None
    again: bool = False

    def ended(self) -> bool:
        """Do the job; False: another run is at its cell.

        Raises:
            StoreError: Records or events cannot be read or written.
        """
        self._begin()
        start = time.monotonic()
        try:
            reason = self._obstacle()
            if reason is not None:
                self._skip(reason)
                return True
            return self._settled(self._prepared(), start)
        except StoreError:
            raise
        except MibenchError as error:
            self._tell("problem", error=type(error).__name__, what=error.what, why=error.why, do=error.do)
            return True

    def _obstacle(self) -> MibenchError | None:
        """Why the job is skipped; where nothing is skipped, what does not fit the device fails.

        What may have a good record is looked at, even if it would not fit: the model alone names its cell.

        Raises:
            MibenchError: The task is unknown, or the job does not fit.
        """
        job, settings, checks = self.job, self.settings, self.shop.checks
        found = None if checks is None else checks.obstacle(job.task, job.model, settings.split, job.track)
        if found is not None:
            return found
        problem = refusal(job, settings)
        kept = problem is not None and self.shop.kept.has(job, settings)
        if problem is None or (kept and settings.only != "all"):
            return None
        if checks is None or kept:
            raise problem
        return problem

    @property
    def job(self) -> Job:
        """The job."""
        return self.shop.jobs[self.place][0]

    @property
    def settings(self) -> RunSettings:
        """The run, as this worker does this job."""
        settings = of_at_most(self.shop.jobs[self.place][1], self.order.batch_size)
        return settings if self.shop.device is None else settings.model_copy(update={"device": self.shop.device})

    def _begin(self) -> None:
        if self.again:  # it has waited for another run
            return
        self._tell("started", batch_size=self.settings.batch_size)
        self.shop.begun += 1
        if self.observer is not None:
            self.observer.job(self.job.label, self.shop.begun, len(self.shop.jobs))

    def _skip(self, reason: MibenchError) -> None:
        record = None
        if not self.job.control:  # nobody asked for a control by itself
            record = skip(self.job, self.settings, reason, self.shop.store)
        self._done(record, reused=False)

    def _prepared(self) -> CellRun:
        job, settings = self.job, self.settings
        bench = self.shop.benches.get(job.model, settings)
        return CellRun(
            cell=cell_of(job, bench, settings),
            job=job,
            bench=bench,
            # Extras are not measured for the floor, whose metrics declare it.
            settings=settings.model_copy(update={"extras": []}) if job.control else settings,
            observer=_Stages(self.stage),
            looks=self.shop.looks,
            attempt=self.order.attempt,
            overdue=self._overdue if self.shop.expendable else None,
        )

    def _settled(self, work: CellRun, start: float) -> bool:
        store = self.shop.store
        with claim(store.folder, work.cell.id) as held:
            if not held:
                if not self.again:
                    self.stage(_WAITING)
                return False
            problem = refusal(work.job, work.settings) if is_to_run(work, store) else None
            if problem is not None:
                raise problem
            self._tell("started", cell=work.cell.id, batch_size=work.settings.batch_size)
            settled = settle(work, store, self.order.given_up.get(self.place))
        if self.shop.checks and store.has(work.cell):
            forget_skip(work.job, work.settings, store)
        if settled is None:
            self._done(None, reused=False)
        else:
            self._done(settled.record, reused=settled.reused, seconds=time.monotonic() - start)
        return True

    def _done(self, record: RunRecord | None, *, reused: bool, seconds: float | None = None) -> None:
        if record is None:
            self._tell("done")
            return
        made, problem = record.volatile.provenance, record.problem
        told = {} if problem is None else problem.model_dump()
        self._tell(
            "done",
            cell=record.cell.id,
            status=record.status,
            reused=reused,
            record=str(self.shop.store.path(record.cell).relative_to(self.shop.store.folder)),
            seconds=seconds,
            made=None if made is None or not reused else made.created_at.isoformat(),
            batch_size=None if made is None else made.batch_size,
            **told,
        )
        if self.observer is not None:
            self.observer.done(self.job.label, record, reused=reused)

    def _overdue(self) -> None:
        with suppress(StoreError):
            self._tell("problem", status=TIME)
        os._exit(OVERDUE)

    def _tell(self, event: Kind, **told: Any) -> None:
        words: dict[str, Any] = {"label": self.job.label, "attempt": self.order.attempt} | told
        self.events.write(Event(event, self.place, **words))

    def stage(self, name: str) -> Progress:
        """A stage of the cell begins."""
        self._tell("stage", label=name)
        return no_progress if self.observer is None else self.observer.stage(name)


class _Stages(Quiet):
    """Told by a cell of its stages.

    Args:
        tell: Told of them in turn.
    """

    def __init__(self, tell: Callable[[str], Progress]) -> None:
        self._tell = tell

    def stage(self, name: str) -> Progress:
        """A stage begins."""
        return self._tell(name)
