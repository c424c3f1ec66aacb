"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from mibench.core.errors import MibenchError
from mibench.records.record import RunRecord
from mibench.runner.plan import Job


@dataclass
class Report:
    """What a run did.

    Attributes:
        jobs: Jobs with their records, in order, those that were there already included.
        reused: Ids of cells whose record was there already.
        problems: Jobs that came to no cell, because their model or data could not be used.
    """

    jobs: list[tuple[Job, RunRecord]] = field(default_factory=list)
    reused: set[str] = field(default_factory=set)
    problems: list[tuple[Job, MibenchError]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything failed, or everything was skipped."""
        statuses = {record.status for _, record in self.jobs}
        return bool(self.problems) or "failed" in statuses or statuses == {"skipped"}
