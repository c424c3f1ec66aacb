"""A worker: takes jobs from a spool, has each scored in a sandbox, and hands in what came of it.

``python -m mibench.shared_task.work SPOOL BACKEND`` works until nothing waits; the driver starts such workers.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from mibench.core.errors import MibenchError
from mibench.sandbox.backends import find_backend
from mibench.sandbox.confine import Backend, Confinement
from mibench.sandbox.run import Outcome, run_confined
from mibench.shared_task.jobs import Verdict
from mibench.shared_task.scene import command_of, confinement_of
from mibench.shared_task.spool import Claim, Spool

_TAIL = 20_000


class Runner(Protocol):
    """Runs a command in a sandbox, as `mibench.sandbox.run.run_confined` does."""

    def __call__(
        self, command: Sequence[str], confinement: Confinement, backend: Backend, beat: Callable[[], None] | None
    ) -> Outcome:
        """Run it to its end."""


@dataclass(frozen=True)
class Habits:
    """How a worker works.

    Attributes:
        poll: Seconds between two looks for a job.
        beat: Seconds between two signs of life.
        run: Runs a command in a sandbox.
        stop: Whether no more jobs are to be taken.
    """

    poll: float = 1.0
    beat: float = 5.0
    run: Runner = run_confined
    stop: Callable[[], bool] = lambda: False


class _LostError(Exception):
    """The job was given to somebody else."""


def work(spool: Spool, backend: Backend, *, once: bool, habits: Habits | None = None) -> int:
    """Score jobs.

    Args:
        spool: Where they are.
        backend: What confines the scorer.
        once: End when nothing waits; else, wait for more.
        habits: How to work.

    Returns:
        Jobs that were handed in.

    Raises:
        MibenchError: A job cannot be scored on this machine, or the spool cannot be written; the job is back in it.
    """
    habits, n_done = habits or Habits(), 0
    while not habits.stop():
        claim = spool.claim()
        if claim is not None:
            n_done += _score(spool, claim, backend, habits)
        elif once:
            break
        else:
            time.sleep(habits.poll)
    return n_done


def _score(spool: Spool, claim: Claim, backend: Backend, habits: Habits) -> bool:
    try:
        with _beating(spool, claim, habits.beat) as lost:

            def beat() -> None:
                if lost.is_set():
                    raise _LostError

            outcome = habits.run(command_of(claim), confinement_of(claim), backend, beat)
    except _LostError:
        return False
    except BaseException:
        # Nothing is wrong with the job: this worker was stopped, or its machine is not fit for it.
        spool.hand_back(claim, claim.job.attempt)
        raise
    return spool.finish(claim, verdict_of(outcome, backend.name))


def verdict_of(outcome: Outcome, backend: str) -> Verdict:
    """Return what an end in a sandbox comes to."""
    return Verdict(
        status=outcome.status,
        exit_code=outcome.exit_code,
        seconds=outcome.seconds,
        peak_bytes=outcome.peak_bytes,
        tail=outcome.tail[-_TAIL:],
        backend=backend,
    )


@contextmanager
def _beating(spool: Spool, claim: Claim, seconds: float) -> Iterator[threading.Event]:
    """Give signs of life until the block ends; the event is set when the job is somebody else's."""
    lost, over = threading.Event(), threading.Event()

    def beat() -> None:
        while not over.wait(seconds):
            if not spool.beat(claim):
                lost.set()
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        over.set()
        thread.join()


def stop_on_terminate() -> None:
    """Have SIGTERM end this process as an error would, so that its job goes back into the queue."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(number, signal.SIG_IGN)  # a scheduler may say it twice, while the job is being handed back
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)


def orphaned() -> Callable[[], bool]:
    """Return what tells whether the process that started this one is gone: another one will start others."""
    parent = os.getppid()
    return lambda: os.getppid() != parent


def main(words: Sequence[str]) -> int:
    """Work until nothing waits, or until the driver is gone; what fails is said on standard error."""
    stop_on_terminate()
    try:
        work(Spool(Path(words[0])), find_backend(words[1]), once=True, habits=Habits(stop=orphaned()))
    except MibenchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
