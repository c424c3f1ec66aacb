"""Progress of a run: bars on a terminal, a line a job elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mibench.engine.meter import Progress as Callback
from mibench.records.record import RunRecord


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
        """A job begins."""
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
        text = f"{self._number} {label}: {record.status}, {took}"
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=True)


def _ignore(done: int, total: int) -> None:
    pass
