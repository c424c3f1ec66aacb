"""A queue of jobs in folders, for workers on many machines: nothing but renames, which network file systems keep whole.

A job is one file, and it is in one place at every moment: ``jobs/KEY.ATTEMPT.json`` waits,
``taken/KEY.ATTEMPT@WORKER/job.json`` is a worker's, ``done/KEY.ATTEMPT@WORKER/job.json`` has been scored. Whoever
renames that file owns the job; a folder without it is litter, whatever else is in it.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import StoreError
from mibench.core.files import atomic_write, is_file
from mibench.shared_task.jobs import Job, Verdict, read_file
from mibench.shared_task.workers import is_gone, worker_name

TOKEN = "job.json"  # noqa: S105  a file name
VERDICT = "verdict.json"
BEAT = "beat"
OUT = "out"
_HELD = re.compile(r"(?P<key>[0-9]{6}-(?:standings|final))\.(?P<attempt>[0-9]{1,3})@(?P<worker>[A-Za-z0-9.-]{1,120})")
_WAITING = re.compile(r"(?P<key>[0-9]{6}-(?:standings|final))\.(?P<attempt>[0-9]{1,3})\.json")


@dataclass(frozen=True)
class Claim:
    """A job that a worker holds, or has done.

    Attributes:
        job: The job.
        folder: Its folder; ``out`` in it is the scorer's.
    """

    job: Job
    folder: Path

    @property
    def file(self) -> Path:
        """The job's file, which is where the job is."""
        return self.folder / TOKEN

    @property
    def out(self) -> Path:
        """Where the scorer writes."""
        return self.folder / OUT


class Spool:
    """The queue in a folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self._seen: dict[str, tuple[int, float]] = {}

    def create(self) -> None:
        """Make the folders."""
        for name in ("jobs", "taken", "done"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def put(self, job: Job) -> bool:
        """Queue a job; False: it is here already. One process alone may put jobs.

        Raises:
            StoreError: It cannot be written.
        """
        # A job can be given back behind the eye that looks for it; nobody does that twice in a moment.
        if self.holds(job.key) or self.holds(job.key):
            return False
        self.create()
        atomic_write(self._waiting(job.key, job.attempt), job.model_dump_json(indent=1))
        return True

    def holds(self, key: str) -> bool:
        """Whether a job is here: waiting, taken or done."""
        return key in self.waiting() or any(
            found["key"] == key and is_file(folder / TOKEN)
            for place in ("taken", "done")
            for folder, found in self._held(place)
        )

    def waiting(self) -> list[str]:
        """Keys of the jobs that nobody has taken, in order of arrival."""
        return [found["key"] for _, found in self._queued()]

    def cancel(self, key: str) -> None:
        """Remove a job that waits; one that a worker has taken is not stopped."""
        for path, found in list(self._queued()):
            if found["key"] == key:
                path.unlink(missing_ok=True)

    def claim(self) -> Claim | None:
        """Take the first job that waits; None: there is none.

        Raises:
            StoreError: The folder cannot be written, or a job's file is none.
        """
        for path, _ in self._queued():
            # A name that is used once only: what is found under it is this claim's, however renames were answered.
            folder = self.path / "taken" / f"{path.stem}@{worker_name()}"
            folder.mkdir(mode=0o700, parents=True)
            (folder / BEAT).touch()
            if _moved(path, folder / TOKEN):
                (folder / OUT).mkdir(mode=0o700)
                return _claim(folder)
            shutil.rmtree(folder, ignore_errors=True)
        return None

    def beat(self, claim: Claim) -> bool:
        """Say that a worker is alive; False: the job is not its own any more, and is to be dropped."""
        try:
            (claim.folder / BEAT).write_text(f"{time.time_ns()}\n", encoding="ascii")
        except OSError:
            return is_file(claim.file)
        return is_file(claim.file)

    def finish(self, claim: Claim, verdict: Verdict) -> bool:
        """Hand in what came of a job; False: it was not this worker's any more.

        Raises:
            StoreError: It cannot be written.
        """
        if not is_file(claim.file):
            return False
        atomic_write(claim.folder / VERDICT, verdict.model_dump_json(indent=1))
        done = self.path / "done" / claim.folder.name
        return _moved(claim.folder, done) and is_file(done / TOKEN)

    def hand_back(self, claim: Claim, attempt: int) -> bool:
        """Put a job that is held back into the queue, at its old place in it.

        Args:
            claim: The job.
            attempt: Which try the next one is.

        Raises:
            StoreError: It cannot be renamed.
        """
        moved = _moved(claim.file, self._waiting(claim.job.key, attempt))
        shutil.rmtree(claim.folder, ignore_errors=True)
        return moved

    def give_back(self, stale_after: float, attempts: int = 3) -> list[Claim]:
        """Put the jobs of dead workers back into the queue, or to those that are done when it was the last try.

        A worker is dead when its process on this machine is gone, or when it has not stirred for some time by the
        clock of whoever looks: clocks of other machines are not trusted.

        Args:
            stale_after: Seconds without a beat.
            attempts: Tries that a job has.

        Returns:
            The jobs that were taken from dead workers.

        Raises:
            StoreError: A file cannot be renamed.
        """
        lost = []
        for folder, found in list(self._held("taken")):
            if not (is_gone(found["worker"]) or self._is_still(folder, stale_after)):
                continue
            claim = _if_held(folder)
            if claim is not None and self._pass_on(claim, attempts):
                lost.append(claim)
            self._drop_litter(folder)
        return lost

    def _pass_on(self, claim: Claim, attempts: int) -> bool:
        if claim.job.attempt >= attempts:
            return self.finish(claim, Verdict(status="lost"))
        return self.hand_back(claim, claim.job.attempt + 1)

    def take_done(self) -> list[tuple[Claim, Verdict]]:
        """The jobs that are done, in order of arrival; each stays until it is dropped.

        Raises:
            StoreError: A job's file is none.
        """
        found = []
        for folder, _ in list(self._held("done")):
            claim = _if_held(folder)
            if claim is not None:
                found.append((claim, read_file(folder / VERDICT, Verdict)))
            self._drop_litter(folder)
        return found

    def drop(self, claim: Claim) -> None:
        """Remove a job that has been dealt with."""
        claim.file.unlink(missing_ok=True)  # first: what is left of a removal that is killed is litter
        self._drop_litter(claim.folder)

    def taken(self) -> list[str]:
        """Names of the workers that hold a job."""
        return [found["worker"] for folder, found in self._held("taken") if is_file(folder / TOKEN)]

    def _waiting(self, key: str, attempt: int) -> Path:
        return self.path / "jobs" / f"{key}.{attempt}.json"

    def _queued(self) -> Iterator[tuple[Path, re.Match[str]]]:
        for name in _names(self.path / "jobs"):
            found = _WAITING.fullmatch(name)
            if found:
                yield self.path / "jobs" / name, found

    def _held(self, place: str) -> Iterator[tuple[Path, re.Match[str]]]:
        for name in _names(self.path / place):
            found = _HELD.fullmatch(name)
            if found:
                yield self.path / place / name, found

    def _is_still(self, folder: Path, seconds: float) -> bool:
        """Whether nothing has stirred in a folder since it was first seen so, that long ago."""
        try:
            beat = (folder / BEAT).stat().st_mtime_ns
        except OSError:
            beat = 0
        now = time.monotonic()
        known = self._seen.get(folder.name)
        if known is None or known[0] != beat:
            known = self._seen[folder.name] = (beat, now)
        return now - known[1] >= seconds

    def _drop_litter(self, folder: Path) -> None:
        if not is_file(folder / TOKEN):
            self._seen.pop(folder.name, None)
            shutil.rmtree(folder, ignore_errors=True)


def _claim(folder: Path) -> Claim:
    """What is held in a folder; the try that it is comes from the folder's name."""
    found = _HELD.fullmatch(folder.name)
    job = read_file(folder / TOKEN, Job)
    return Claim(job.model_copy(update={"attempt": int(found["attempt"])}) if found else job, folder)


def _if_held(folder: Path) -> Claim | None:
    """What is held in a folder; None: nothing any more."""
    try:
        return _claim(folder)
    except StoreError:
        if is_file(folder / TOKEN):
            raise
        return None


def _moved(source: Path, target: Path) -> bool:
    """Rename; False: somebody else did.

    Where an answer is lost on a network, the second try finds that the first one did it.
    """
    try:
        os.rename(source, target)  # noqa: PTH104  never over a folder that is there
    except FileNotFoundError:
        return target.exists()
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"{source} cannot be renamed.", why=why, do="Check the rights of the folder.") from error
    return True


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  names alone, in one call
    except FileNotFoundError:
        return []
