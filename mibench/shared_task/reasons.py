"""Why a submission has no scores: fixed sentences and numbers, so that nothing private can be in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mibench.shared_task.jobs import Job, Verdict

if TYPE_CHECKING:
    from mibench.intake.make import NotMadeError
    from mibench.intake.round import Limits

FOREIGN = "The scorer handed back a record that is not of this submission."
CHANGED = "Its files are not those that were handed in."
_SIGNALS = 128


def was_killed(verdict: Verdict) -> bool:
    """Whether something from outside ended the scorer: another try may go well."""
    code = verdict.exit_code
    return verdict.status == "failed" and (code is None or code < 0 or code > _SIGNALS)


def reason_of(verdict: Verdict, job: Job) -> str | None:
    """Why scoring came to no end; None: it did."""
    return {
        "done": None,
        "failed": f"Scoring crashed with exit status {verdict.exit_code} (try {job.attempt}).",
        "timeout": f"Scoring took longer than {job.seconds} seconds.",
        "memory": f"Scoring took more than {job.memory_bytes} bytes of memory.",
        "files": f"Scoring wrote more than {job.file_bytes} bytes.",
        "lost": f"Its workers were lost {job.attempt} times.",
    }[verdict.status]


def reason_of_cells(n_good: int, n_cells: int) -> str | None:
    """What is to be said of cells without numbers; None: there are none."""
    n_failed = n_cells - n_good
    if not n_good:
        return f"Every cell failed ({n_failed} of {n_cells})."
    return f"{n_failed} of {n_cells} cells failed." if n_failed else None


def reason_of_making(error: NotMadeError, limits: Limits) -> str:
    """Why no artifacts were made of a submission's methods."""
    return {
        "failed": f"A method of it crashed with exit status {error.exit_code}.",
        "timeout": f"Its methods took longer than {limits.seconds} seconds.",
        "memory": f"A method of it took more than {limits.memory_bytes} bytes of memory.",
        "files": "A method of it wrote more than a submission may hold.",
        "artifact": "A method of it left no artifact, or one that is no plain file within the limits.",
        "invalid": "What its methods made does not pass the check of artifacts.",
    }[error.end]
