"""Have an executor do the jobs of a plan, and find others for what its workers leave undone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from mibench.core.errors import MibenchError, UsageError
from mibench.records.store import Store
from mibench.runner.cells.log import log_lost
from mibench.runner.driving.events import TIME, Event, Tail, problem_of
from mibench.runner.driving.units import Unit, units
from mibench.runner.executors.executor import Executor, Lost, Order, Task
from mibench.runner.observe import Observer
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

PATIENCE = 3
"""Workers that a job may lose, memory apart: that may run out as long as batches can be halved."""
_SHORTEST_POLL, _LONGEST_POLL = 0.01, 0.5


@dataclass
class Sent:
    """An order at a worker.

    Attributes:
        order: The order.
        unit: What its jobs are of.
        task: What the executor made of it.
        tail: What its worker tells.
        last: The last job that was begun.
        timed: Whether its worker was ended because the job's time was up.
    """

    order: Order
    unit: Unit
    task: Task
    tail: Tail
    last: Event | None = None
    timed: bool = False


@dataclass
class Drive:
    """A plan on its way.

    Attributes:
        settings: The run.
        text: The same, as orders carry it.
        jobs: The plan.
        executor: What does it.
        observer: Told of everything.
        folder: Where workers write events to.
        ended: The last event of each job that has ended.
    """

    settings: RunSettings
    text: str
    jobs: Sequence[tuple[Job, RunSettings]]
    executor: Executor
    observer: Observer
    folder: Path
    ended: dict[int, Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._todo = units(self.jobs, self.settings.workers)
        self._controls = {unit.bundle: unit.jobs for unit in self._todo if unit.first}
        self._opened = -1
        self._at_work: list[Sent] = []
        self._losses: dict[int, int] = {}
        self._in_vain = 0
        self._any_record = False
        self._number = count()

    def run(self) -> dict[int, Event]:
        """Come to each job of the plan; gives the last event of each.

        Raises:
            UsageError: What is wrong with the command showed at the first job.
            StoreError: Records cannot be read or written.
            MibenchError: No worker can work.
        """
        pause = _SHORTEST_POLL
        while self._todo or self._at_work:
            moved = self._send([(unit, self._order(unit.jobs)) for unit in self._ready()])
            for sent in list(self._at_work):
                moved |= self._listen(sent)
                if sent.task.done():
                    self._at_work.remove(sent)
                    self._listen(sent)
                    self._left(sent)
                    moved = True
            pause = _SHORTEST_POLL if moved else min(_LONGEST_POLL, 1.5 * pause)
            if not moved:
                time.sleep(pause)
        return self.ended

    def _ready(self) -> list[Unit]:
        """Units that can be done now; a bundle is begun when workers would be idle soon."""
        ready: list[Unit] = []
        left: list[Unit] = []
        enough = 2 * self.settings.workers - 1
        for unit in self._todo:
            is_open = unit.bundle <= self._opened or len(self._at_work) + len(ready) < enough
            controlled = unit.first or all(place in self.ended for place in self._controls.get(unit.bundle, ()))
            if is_open:
                self._opened = max(self._opened, unit.bundle)
            (ready if is_open and controlled else left).append(unit)
        self._todo = left
        return ready

    def _order(self, jobs: tuple[int, ...]) -> Order:
        return Order(self.text, jobs, self.folder / f"{next(self._number)}.jsonl")

    def _send(self, orders: Sequence[tuple[Unit, Order]]) -> bool:
        if orders:
            tasks = self.executor.submit([order for _, order in orders])
            self._at_work += [
                Sent(order, unit, task, Tail(order.events)) for (unit, order), task in zip(orders, tasks, strict=True)
            ]
        return bool(orders)

    def _listen(self, sent: Sent) -> bool:
        """Hear what a worker has told; whether it has told anything."""
        heard = sent.tail.read()
        for event in heard:
            self._in_vain = 0
            if event.event == "started":
                sent.last = event
            sent.timed |= event.status == TIME
            if event.ends and event.job not in self.ended:
                self._end(event)
            self.observer.heard(event, len(self.ended), len(self.jobs))
        return bool(heard)

    def _end(self, event: Event) -> None:
        # What is wrong with the command shows at the first job; after that, the other cells go on.
        if event.error == UsageError.__name__ and not self._any_record:
            raise problem_of(event)
        self._any_record |= event.record is not None
        self.ended[event.job] = event

    def _left(self, sent: Sent) -> None:
        """Order again what a worker has not come to: what it was at by itself, since that may be why it was lost."""
        lost = sent.task.lost()
        jobs = tuple(place for place in sent.order.jobs if place not in self.ended)
        if not jobs:
            return
        lost = lost or Lost("It stopped before it came to the end.")
        last = sent.last
        if last is None or last.job not in jobs:
            self._check_hope(lost)
            again = replace(self._order(jobs), batch_size=sent.order.batch_size, attempt=sent.order.attempt + 1)
            self._send([(sent.unit, again)])
            return
        log_lost(last, lost.why, self.settings.executor, Store(self.settings.out))
        suspect = self._again(sent, last, lost)
        others = tuple(place for place in jobs if place != last.job)
        rest = replace(self._order(others), batch_size=sent.order.batch_size, attempt=sent.order.attempt)
        self._send([(sent.unit, order) for order in (suspect, rest) if order is not None and order.jobs])

    def _check_hope(self, lost: Lost) -> None:
        self._in_vain += 1
        if self._in_vain >= PATIENCE * self.settings.workers:
            raise MibenchError(
                f"No worker of the executor {self.settings.executor} can work.",
                why=f"{self._in_vain} of them ended before they began with a cell, the last so: {lost.why}",
                do="Try --executor serial without its options, which shows what is wrong; finished cells are kept.",
            )

    def _again(self, sent: Sent, last: Event, lost: Lost) -> Order | None:
        """The order for a job that a worker was lost at; None: it is left."""
        place, order = last.job, sent.order
        batch = order.batch_size or last.batch_size or self.jobs[place][1].batch_size
        again = replace(self._order((place,)), batch_size=order.batch_size, attempt=order.attempt + 1)
        if place in order.given_up:
            what, do = "The cell was given up.", "Run it by itself."
            self._end(Event("problem", place, last.label, what=what, why=order.given_up[place], do=do))
            return None
        if sent.timed:
            why = f"It did not stop when its time was up: a cell may take {self.settings.time_limit:g} seconds."
            return replace(again, given_up={place: why})
        if lost.memory and batch > 1:
            return replace(again, batch_size=batch // 2)
        self._losses[place] = self._losses.get(place, 0) + 1
        if self._losses[place] < PATIENCE:
            return again
        return replace(again, given_up={place: f"{PATIENCE} workers were lost at it. {lost.why}"})
