"""Progress of a run: bars on a terminal, a line a job elsewhere; of many workers, what each of them is at."""

from __future__ import annotations

import time
from datetime import datetime
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mibench.engine.meter import Progress as Callback
from mibench.records.record import RunRecord
from mibench.runner.driving.events import Event


class Show:
    """Shows jobs and stages on standard error; an observer of the runner.

    Args:
        silent: Show nothing.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._console = Console(stderr=True)
        self._bars: Progress | None = None
        self._started = time.monotonic()
        self._number = ""
        self._crew: Crew | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._silent:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bars = Progress(*columns, console=self._console, transient=True)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def job(self, label: str, number: int, total: int) -> None:
        """A job of this process begins."""
        self._started, self._number = time.monotonic(), f"[{number}/{total}]"
        if self._bars is not None:
            for task in self._bars.task_ids:
                self._bars.remove_task(task)
            self._bars.add_task(f"{number}/{total} {label}", total=None)

    def stage(self, name: str) -> Callback:
        """A stage of the job begins."""
        bars = self._bars
        if bars is None:
            return _ignore
        bar = bars.add_task(f"  {name}", total=None)

        def update(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total)

        return update

    def done(self, label: str, record: RunRecord, *, reused: bool) -> None:
        """A job has ended."""
        if self._silent:
            return
        made = record.volatile.provenance.created_at if record.volatile.provenance else None
        of = f", made {made.astimezone():%Y-%m-%d %H:%M}" if made else ""
        took = f"from the store{of}" if reused else f"{time.monotonic() - self._started:.1f} s"
        self._say(f"{self._number} {label}: {record.status}, {took}")

    def heard(self, event: Event, done: int, total: int) -> None:
        """A worker tells of a job; those of this process are shown already."""
        if self._number or self._silent:
            return
        if self._crew is None:
            self._crew = Crew(self._bars)
        self._crew.heard(event, done, total)
        if event.event == "done" and event.status is not None:
            made = None if event.made is None else datetime.fromisoformat(event.made)
            of = f", made {made.astimezone():%Y-%m-%d %H:%M}" if made else ""
            took = f"from the store{of}" if event.reused else f"{event.seconds or 0.0:.1f} s"
            self._say(f"[{done}/{total}] {event.label}: {event.status}, {took}")

    def _say(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=True)


class Crew:
    """A bar of all jobs, and a line a worker.

    Args:
        bars: Where they are shown; None: nowhere.
    """

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._whole = None if bars is None else bars.add_task("all cells", total=None)
        self._workers: dict[tuple[str, int], tuple[TaskID, Event]] = {}

    def heard(self, event: Event, done: int, total: int) -> None:
        """A worker tells of a job."""
        if self._bars is None or self._whole is None:
            return
        self._bars.update(self._whole, completed=done, total=total)
        worker = event.host, event.pid
        if event.event == "started":
            # Another worker may have been lost at the same job.
            for other in [one for one, (_, begun) in self._workers.items() if begun.job == event.job]:
                self._leave(other)
            self._leave(worker)
            self._workers[worker] = self._bars.add_task(f"  {event.pid} {event.label}", total=None), event
        elif event.event == "stage" and worker in self._workers:
            bar, begun = self._workers[worker]
            self._bars.update(bar, description=f"  {event.pid} {begun.label}: {event.label}")
        elif event.event in {"done", "problem"}:
            self._leave(worker)

    def _leave(self, worker: tuple[str, int]) -> None:
        known = self._workers.pop(worker, None)
        if known is not None and self._bars is not None:
            self._bars.remove_task(known[0])


def _ignore(done: int, total: int) -> None:
    pass
