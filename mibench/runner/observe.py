"""How a run tells what it is doing."""

from __future__ import annotations

from typing import Protocol

from mibench.engine.meter import Progress, no_progress
from mibench.records.record import RunRecord
from mibench.runner.driving.events import Event


class Observer(Protocol):
    """Told of jobs and their stages; a command line shows them."""

    def job(self, label: str, number: int, total: int) -> None:
        """A job begins."""

    def stage(self, name: str) -> Progress:
        """A stage of the job begins; the answer is told how far it has come."""

    def done(self, label: str, record: RunRecord, *, reused: bool) -> None:
        """A job has ended, or its record was there already."""

    def heard(self, event: Event, done: int, total: int) -> None:
        """A worker tells of a job; so many of all jobs have ended. Told of jobs in this process too."""


class Quiet:
    """An observer that shows nothing."""

    def job(self, label: str, number: int, total: int) -> None:
        """Ignore."""

    def stage(self, name: str) -> Progress:  # noqa: ARG002
        """Ignore."""
        return no_progress

    def done(self, label: str, record: RunRecord, *, reused: bool) -> None:
        """Ignore."""

    def heard(self, event: Event, done: int, total: int) -> None:
        """Ignore."""
