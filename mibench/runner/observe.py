"""How a run tells what it is doing."""

from __future__ import annotations

from typing import Protocol

from mibench.engine.meter import Progress, no_progress
from mibench.records.record import RunRecord


class Observer(Protocol):
    """Told of jobs and their stages; a command line shows them."""

    def job(self, label: str, number: int, total: int) -> None:
        """A job begins."""

    def stage(self, name: str) -> Progress:
        """A stage of the job begins; the answer is told how far it has come."""

    def done(self, label: str, record: RunRecord, *, reused: bool) -> None:
        """A job has ended, or its record was there already."""


class Quiet:
    """An observer that shows nothing."""

    def job(self, label: str, number: int, total: int) -> None:
        """Ignore."""

    def stage(self, name: str) -> Progress:  # noqa: ARG002
        """Ignore."""
        return no_progress

    def done(self, label: str, record: RunRecord, *, reused: bool) -> None:
        """Ignore."""
