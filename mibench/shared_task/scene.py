"""What the scorer of a job sees: the submission, the split, the rules, the models of its cells, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import mibench
from mibench.core.errors import MibenchError
from mibench.intake.round import read_round
from mibench.models.cache import CACHE_VARIABLE, cache_root, converted_folder
from mibench.models.catalogue import CATALOGUE
from mibench.models.hub import snapshot
from mibench.models.known import known_folder, known_models
from mibench.sandbox.confine import Confinement
from mibench.shared_task.jobs import Job
from mibench.shared_task.pieces import artifact_path, pieces_of, read_submission
from mibench.shared_task.spool import Claim

SCORER = (sys.executable, "-P", "-s", "-m", "mibench.shared_task.score_entry")
"""The command that scores; the job's file and the folder for records follow."""
_LOCAL_DATA = "MIBENCH_MIB_"
"""How variables begin that name local copies of the hub's data."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def confinement_of(claim: Claim) -> Confinement:
    """Return what the scorer of a job may see, write and use.

    Raises:
        MibenchError: A model, the round's rules or the manifest are not there.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    job = claim.job
    local = {name: value for name, value in os.environ.items() if name.startswith(_LOCAL_DATA)}
    read = {job.submission, job.overlay, job.round, claim.file, *_of_models(job), *_of_hub(job)}
    read |= {Path(value) for value in local.values()}
    threads = dict.fromkeys(_THREADS, str(job.threads))
    return Confinement(
        read=tuple(sorted(path.absolute() for path in read if path.exists())),
        write=claim.out,
        seconds=job.seconds,
        memory_bytes=job.memory_bytes,
        file_bytes=job.file_bytes,
        environment=threads | local | _places() | {"HF_HUB_CACHE": HF_HUB_CACHE},
    )


def _places() -> dict[str, str]:
    """Where the scorer finds the package and its cache."""
    return {CACHE_VARIABLE: str(cache_root().absolute()), "PYTHONPATH": str(Path(mibench.__file__).parents[1])}


def command_of(claim: Claim, scorer: Sequence[str] = SCORER) -> list[str]:
    """Return the command that scores a job."""
    return [*scorer, str(claim.file), str(claim.out)]


def model_folder(name: str, folders: Mapping[str, Path]) -> Path:
    """Return the folder of a model, and of all that it links to: it is written or fetched if it is not there.

    Raises:
        ModelError: It cannot be had.
    """
    if name in folders:
        return folders[name]
    if name not in CATALOGUE:
        return known_folder(name)
    spec = CATALOGUE[name]
    if spec.is_converted:
        return converted_folder(spec)
    # A snapshot is links to the blobs of its repository.
    return snapshot(spec.hub_id, spec.revision, gated=spec.gated).parents[1]


def _of_models(job: Job) -> Iterator[Path]:
    submission, rules = read_submission(job.submission), read_round(job.round)
    names = {model for piece in pieces_of(submission, rules) for _, model in piece.places if model}
    for name in sorted(names):
        if name in job.folders or name in CATALOGUE or name in known_models():
            yield model_folder(name, job.folders)
    # Saves the scorer the reading of every weight; it cannot be wrong about files that have not changed.
    yield cache_root() / "digests"


def _of_hub(job: Job) -> Iterator[Path]:
    """Repositories of artifacts that are on the hub; one that its team has removed is no reason to stop."""
    for entry in read_submission(job.submission).artifacts:
        if entry.hub is not None:
            with suppress(MibenchError):
                path = artifact_path(entry, job.submission)
                yield next(folder for folder in path.parents if folder.parent.name == "hub" or "--" in folder.name)
