"""A worker hands in what came of a job, or gives the job back."""

from __future__ import annotations

import os
import signal
import time

import pytest
from evaluation_cases import NoSandbox
from open_rounds import open_round, passes, submission

from mibench.core.errors import SandboxError
from mibench.intake.round import read_round
from mibench.sandbox.run import Outcome
from mibench.shared_task.drive import job_of
from mibench.shared_task.spool import Spool
from mibench.shared_task.work import Habits, stop_on_terminate, work


@pytest.fixture
def spool(tmp_path):
    """A queue of one job."""
    state = open_round(tmp_path)
    entry, _ = state.hand_in(submission(tmp_path), state.register("team", "a@example.org"), passes)
    state.folder.split("standings").mkdir(parents=True)
    found = Spool(state.folder.spool)
    found.create()
    found.put(job_of(entry, "standings", state.folder, read_round(state.folder.round_file)))
    return found


def habits(run, **more):
    return Habits(poll=0.01, beat=0.01, run=run, **more)


def test_it_hands_in_how_the_scorer_ended(spool):
    seen = []

    def run(command, confinement, backend, beat):
        beat()
        seen.append((command[-1], confinement.write))
        return Outcome("failed", 7, 1.5, 9, "x" * 50_000)

    assert work(spool, NoSandbox(), once=True, habits=habits(run)) == 1
    ((claim, verdict),) = spool.take_done()
    assert (verdict.status, verdict.exit_code, verdict.seconds, verdict.peak_bytes) == ("failed", 7, 1.5, 9)
    assert (verdict.backend, len(verdict.tail)) == ("none", 20_000)
    assert seen[0][0] == str(seen[0][1])
    assert claim.job.attempt == 1


def test_a_machine_that_is_not_fit_for_a_job_gives_it_back_and_says_so(spool):
    def run(command, confinement, backend, beat):
        raise SandboxError("No.", why="No.", do="No.")

    with pytest.raises(SandboxError):
        work(spool, NoSandbox(), once=True, habits=habits(run))
    assert spool.claim().job.attempt == 1


def test_a_worker_that_is_told_to_stop_gives_its_job_back(spool):
    def run(command, confinement, backend, beat):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    stop_on_terminate()
    try:
        with pytest.raises(SystemExit):
            work(spool, NoSandbox(), once=True, habits=habits(run))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert spool.claim().job.attempt == 1


def test_a_worker_that_was_thought_dead_stops_scoring_and_hands_in_nothing(spool):
    others = []

    def run(command, confinement, backend, beat):
        spool.give_back(0.0)
        others.append(spool.claim())
        end = time.monotonic() + 10
        while time.monotonic() < end:
            beat()
            time.sleep(0.01)

    assert work(spool, NoSandbox(), once=True, habits=habits(run)) == 0
    assert others[0].job.attempt == 2
    assert spool.beat(others[0])
    assert spool.take_done() == []


def test_a_worker_without_work_waits_until_it_is_to_stop(spool):
    looks = iter([False, False, False, True])

    def run(command, confinement, backend, beat):
        return Outcome("done", 0, 0.0, 0, "")

    assert work(spool, NoSandbox(), once=False, habits=habits(run, stop=lambda: next(looks))) == 1
