"""Evaluate a round: queue what waits, keep workers going, take in what they score, and move each submission on."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mibench.core.errors import MibenchError, RoundError
from mibench.core.files import atomic_write
from mibench.intake.round import Round, SplitName, read_round
from mibench.records.blind import Blinder
from mibench.records.store import Store
from mibench.sandbox.confine import Backend
from mibench.shared_task.collect import Collected, NotOfThisSubmissionError, collect
from mibench.shared_task.crew import LOG, WORKER, Crew, Here, Hire
from mibench.shared_task.entries import Entry
from mibench.shared_task.folder import RoundFolder, private_folder
from mibench.shared_task.jobs import Job, Verdict
from mibench.shared_task.locks import held
from mibench.shared_task.made import MADE, is_ready, scored_folder
from mibench.shared_task.making import Workshop
from mibench.shared_task.opening import model_folders, read_salt
from mibench.shared_task.reasons import CHANGED, FOREIGN, reason_of, reason_of_cells, was_killed
from mibench.shared_task.spool import Claim, Spool
from mibench.shared_task.state import RoundState
from mibench.shared_task.states import State

RECORDS = "records"
LOGS = "logs"
_FILES_PER_BYTE = 4


@dataclass(frozen=True)
class Pace:
    """How an evaluation goes about its work.

    Attributes:
        observer: Told how many submissions are dealt with, and how many there are.
        worker: Command of a worker; the spool and the sandbox follow.
        poll: Seconds between two looks.
        stale: Seconds without a sign of life after which a worker of another machine is taken for dead.
        attempts: Tries that a submission has, where its worker or its scorer is killed.
        threads: Threads of one scorer; None: the processors of this machine, divided.
        trust_code: Whether methods that were handed in are run, to make artifacts of them; else they go on waiting.
        hire: Where workers are from.
    """

    observer: Callable[[int, int], None] = lambda done, total: None  # noqa: ARG005
    worker: Sequence[str] = WORKER
    poll: float = 0.5
    stale: float = 120.0
    attempts: int = 3
    threads: int | None = None
    trust_code: bool = False
    hire: Hire = Here


@dataclass
class EvaluationReport:
    """What an evaluation did.

    Attributes:
        split: The split.
        backend: What confined the scorers.
        scored: Numbers of submissions that have scores now.
        failed: Why others have none.
        withdrawn: Those that were withdrawn before their scores were there.
        given_back: Times that a job went back into the queue.
        unmade: Those that hold methods and go on waiting, since code is not trusted.
    """

    split: SplitName
    backend: str
    scored: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    withdrawn: list[int] = field(default_factory=list)
    given_back: int = 0
    unmade: list[int] = field(default_factory=list)


def evaluate(
    folder: RoundFolder, split: SplitName, workers: int, backend: Backend, pace: Pace | None = None
) -> EvaluationReport:
    """Score every submission that waits on a split.

    Whatever is killed, at any moment, the next call goes on where this one stopped.

    Args:
        folder: The organiser's folder.
        split: Which split.
        workers: Worker processes, of this machine unless ``pace`` hires others; 0: only those of other drivers' making.
        backend: What confines the scorers.
        pace: How to go about it.

    Raises:
        RoundError: The round is not open, or is being evaluated already.
        SandboxError: No worker can work here.
        StoreError: Records or the state cannot be written.
    """
    spool = Spool(folder.spool)
    private_folder(folder.spool)
    spool.create()
    with held(folder.private) as is_held:
        if not is_held:
            why = "Another process evaluates it, and there can be one only."
            raise RoundError("This round is being evaluated already.", why=why, do="Wait until it has ended.")
        return _Drive(folder, split, backend, pace or Pace()).run(workers)


class _Drive:
    """An evaluation on its way."""

    def __init__(self, folder: RoundFolder, split: SplitName, backend: Backend, pace: Pace) -> None:
        self.folder, self.split, self.pace = folder, split, pace
        self.state, self.spool, self.rules = RoundState(folder), Spool(folder.spool), read_round(folder.round_file)
        self.store, self.blinder = Store(folder.records(split)), Blinder(read_salt(folder), split)
        self.logs = private_folder(folder.private / LOGS)
        self.backend, self.report = backend, EvaluationReport(split, backend.name)
        self.command = [*pace.worker, str(self.spool.path), backend.name]
        self.jobs: dict[str, Job] = {}

    def run(self, workers: int) -> EvaluationReport:
        """Queue what waits, and go on until all of it is dealt with."""
        log = self.logs / LOG
        crew = Crew(self.pace.hire(self.command, workers, log), workers, log)
        try:
            self._queue(workers)
            total = len(self.jobs)
            if not self.jobs:
                # What an evaluation left that was killed as it dropped its last job.
                for claim, verdict in self.spool.take_done():
                    self._settle(claim, verdict)
            while self.jobs:
                crew.keep(len(self.spool.waiting()), len(self.spool.taken()))
                self.report.given_back += len(self.spool.give_back(self.pace.stale, self.pace.attempts))
                before = len(self.jobs)
                for claim, verdict in self.spool.take_done():
                    self._settle(claim, verdict)
                if len(self.jobs) < before:
                    self.pace.observer(total - len(self.jobs), total)
                elif self.jobs:
                    time.sleep(self.pace.poll)
        finally:
            crew.stop()
        return self.report

    def _queue(self, workers: int) -> None:
        """Put every submission that waits into the spool, once; what an earlier evaluation put there stays."""
        threads = self.pace.threads or max(1, len(os.sched_getaffinity(0)) // max(1, workers))
        own = {"threads": threads, "folders": {name: Path(path) for name, path in model_folders(self.folder).items()}}
        self._make_artifacts()
        self.state.begin(self.split, self._is_ready)
        running = [entry for entry in self.state.entries() if entry.on(self.split) is State.RUNNING]
        jobs = [job_of(entry, self.split, self.folder, self.rules).model_copy(update=own) for entry in running]
        self.jobs = {job.key: job for job in jobs}
        for key in self.spool.waiting():
            if key not in self.jobs and key.endswith(self.split):
                self.spool.cancel(key)  # it was withdrawn
        for job in jobs:
            self.spool.put(job)

    def _make_artifacts(self) -> None:
        """Have the methods that wait make their artifacts, one after the other, where code is trusted."""
        unmade = [entry for entry in self.state.waiting(self.split) if not self._is_ready(entry)]
        if not self.pace.trust_code:
            self.report.unmade = [entry.id for entry in unmade]
            return
        threads, models = self.pace.threads or len(os.sched_getaffinity(0)), model_folders(self.folder)
        workshop = Workshop(self.folder, self.rules, self.backend, models, threads, self.pace.attempts)
        for entry in unmade:
            reason, detail = workshop.make(entry)
            atomic_write(self.logs / f"{entry.id:06d}-{MADE}.txt", f"{reason or 'made'}\n{detail}\n")
            if reason is not None and self._moved(entry.id, State.FAILED, reason):
                self.report.failed[entry.id] = reason

    def _is_ready(self, entry: Entry) -> bool:
        return not self.rules.limits.accepts_code or is_ready(self.folder, entry)

    def _moved(self, number: int, to: State, reason: str | None = None) -> bool:
        """Move a submission on; False: it was withdrawn just now."""
        try:
            self.state.move(number, self.split, to, reason)
        except RoundError:
            if self.state.entry(number).on(self.split) is not State.WITHDRAWN:
                raise
            return False
        return True

    def _settle(self, claim: Claim, verdict: Verdict) -> None:
        """Deal with a job that is done.

        The records are written first, then the state, and the job is dropped last: whatever is cut off is done again
        from the job, and comes to the same.
        """
        job = self.jobs.get(claim.job.key)
        if claim.job.split != self.split:
            return
        if job is None or self.state.entry(job.entry).on(self.split) is not State.RUNNING:
            self._forget(claim)
            return
        job = job.model_copy(update={"attempt": claim.job.attempt})
        if was_killed(verdict) and job.attempt < self.pace.attempts:
            self._log(job, verdict, "")
            self.report.given_back += self.spool.hand_back(claim, job.attempt + 1)
            return
        to, reason = self._end(claim, job, verdict)
        if not self._moved(job.entry, to, reason):
            self._forget(claim)
            return
        if to is State.SCORED:
            self.report.scored.append(job.entry)
        else:
            self.report.failed[job.entry] = reason or ""
        self._drop(claim)

    def _forget(self, claim: Claim) -> None:
        if claim.job.key in self.jobs:
            self.report.withdrawn.append(claim.job.entry)
        self._drop(claim)

    def _drop(self, claim: Claim) -> None:
        self.spool.drop(claim)
        self.jobs.pop(claim.job.key, None)

    def _end(self, claim: Claim, job: Job, verdict: Verdict) -> tuple[State, str | None]:
        """Write the records of a job, if they are good; return what its submission comes to, and why."""
        reason = reason_of(verdict, job)
        found, detail = None, ""
        if reason is None:
            found, reason, detail = _collected(claim, job)
        blind = []
        if found is not None and found.n_good:
            try:
                blind = [self.blinder.record(record, tables) for record, tables in found.found]
            except Exception:  # noqa: BLE001  tables are read from a stranger's hand
                found, reason, detail = None, FOREIGN, traceback.format_exc()
        self._log(job, verdict, detail)
        if found is None:
            return State.FAILED, reason
        for record, tables in blind:
            self.store.write(record, tables)
        return State.SCORED if found.n_good else State.FAILED, reason_of_cells(found.n_good, found.n_cells)

    def _log(self, job: Job, verdict: Verdict, detail: str) -> None:
        """Keep the details of a try where only organisers read them."""
        about = verdict.model_dump_json(indent=1, exclude={"tail"})
        atomic_write(self.logs / f"{job.key}-{job.attempt}.txt", f"{about}\n{verdict.tail}\n{detail}\n")


def job_of(entry: Entry, split: SplitName, folder: RoundFolder, rules: Round) -> Job:
    """Return the job that scores a submission on a split."""
    limits = rules.limits
    return Job(
        entry=entry.id,
        split=split,
        submission=scored_folder(folder, entry).absolute(),
        overlay=folder.split(split).absolute(),
        round=folder.round_file.absolute(),
        seconds=limits.seconds,
        memory_bytes=limits.memory_bytes,
        file_bytes=min(_FILES_PER_BYTE * limits.total_bytes, 2**40),
    )


def _collected(claim: Claim, job: Job) -> tuple[Collected | None, str | None, str]:
    """The records of a job; or None, the reason, and the details."""
    try:
        return collect(claim.out / RECORDS, job), None, ""
    except NotOfThisSubmissionError as error:
        return None, FOREIGN, error.why
    except MibenchError as error:
        return None, CHANGED, str(error)
    except Exception:  # noqa: BLE001  records are read from a stranger's hand
        return None, FOREIGN, traceback.format_exc()
