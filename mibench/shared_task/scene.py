"""What the scorer of a job sees: the submission, the split, the rules, the models of its cells, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mibench.core.errors import MibenchError
from mibench.intake.round import read_round
from mibench.intake.surroundings import local_copies, model_folders, surroundings
from mibench.sandbox.confine import Confinement
from mibench.shared_task.jobs import Job
from mibench.shared_task.pieces import artifact_path, pieces_of, read_submission
from mibench.shared_task.spool import Claim

SCORER = (sys.executable, "-P", "-s", "-m", "mibench.shared_task.score_entry")
"""The command that scores; the job's file and the folder for records follow."""


def confinement_of(claim: Claim) -> Confinement:
    """Return what the scorer of a job may see, write and use.

    Raises:
        MibenchError: A model, the round's rules or the manifest are not there.
    """
    job = claim.job
    read = {job.submission, job.overlay, job.round, claim.file, *_of_models(job), *_of_hub(job)}
    read |= {Path(value) for value in local_copies().values()}
    return Confinement(
        read=tuple(sorted(path.absolute() for path in read if path.exists())),
        write=claim.out,
        seconds=job.seconds,
        memory_bytes=job.memory_bytes,
        file_bytes=job.file_bytes,
        environment=surroundings(job.threads),
    )


def command_of(claim: Claim, scorer: Sequence[str] = SCORER) -> list[str]:
    """Return the command that scores a job."""
    return [*scorer, str(claim.file), str(claim.out)]


def _of_models(job: Job) -> Iterator[Path]:
    submission, rules = read_submission(job.submission), read_round(job.round)
    names = {model for piece in pieces_of(submission, rules) for _, model in piece.places if model}
    yield from model_folders(names, job.folders)


def _of_hub(job: Job) -> Iterator[Path]:
    """Repositories of artifacts that are on the hub; one that its team has removed is no reason to stop."""
    for entry in read_submission(job.submission).artifacts:
        if entry.hub is not None:
            with suppress(MibenchError):
                path = artifact_path(entry, job.submission)
                yield next(folder for folder in path.parents if folder.parent.name == "hub" or "--" in folder.name)
