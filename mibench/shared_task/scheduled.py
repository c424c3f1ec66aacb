"""Workers that a scheduler starts, on whatever machine it has: the executors of runs, with another function."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibench.core.errors import SandboxError
from mibench.core.leash import leashed
from mibench.runner.executors.calls import Caller
from mibench.runner.executors.executor import EXECUTORS, Means, Task
from mibench.runner.observe import Quiet
from mibench.shared_task.crew import SECONDS_TO_STOP, Agency, Hire, end

SCHEDULERS = ("slurm", "ray")
"""Executors that start workers of shared tasks."""
_POLL = 0.2


@dataclass(frozen=True)
class Start:
    """What starts a worker.

    Attributes:
        command: Its command.
        log: File of what it says, seen by all machines.
    """

    command: tuple[str, ...]
    log: Path


def hire_from(name: str, options: Mapping[str, Any]) -> Hire:
    """Return what hires workers from a scheduler.

    Args:
        name: One of ``SCHEDULERS``.
        options: What it is to be told.
    """

    def hire(command: Sequence[str], size: int, log: Path) -> Agency:
        folder = log.parent / name
        caller = EXECUTORS.load(name)(Means(size, folder, (), options, Quiet()))
        return Scheduled(caller, Start(tuple(command), log.absolute()))

    return hire


class Scheduled:
    """Has a scheduler start workers.

    Args:
        caller: The scheduler.
        start: What starts a worker.
    """

    def __init__(self, caller: Caller, start: Start) -> None:
        self._caller, self._start = caller, start

    def start(self, n: int) -> list[Task]:
        """Ask for so many, at once.

        Raises:
            MibenchError: The scheduler refuses.
        """
        return self._caller.call(run_worker, [self._start] * n)

    def stop(self, workers: Sequence[Task]) -> None:
        """Have workers hand their jobs back, and wait until they have; those that still wait for a machine go."""
        left, limit = [worker for worker in workers if not worker.done()], time.monotonic() + SECONDS_TO_STOP
        for worker in left:
            worker.cancel()
        while not all(worker.done() for worker in left) and time.monotonic() < limit:
            time.sleep(_POLL)
        self._caller.close()


def run_worker(start: Start) -> None:
    """Run a worker on this machine, to its end; it is told to stop when this process dies.

    Raises:
        SandboxError: It ended with an error.
    """
    with start.log.open("ab") as log:
        process = subprocess.Popen(leashed(start.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        while process.poll() is None:  # a wait that would not end could not be interrupted by Ray
            time.sleep(_POLL)
    finally:
        process.terminate()
        end(process)
    if process.returncode > 0:
        why = f"It ended with status {process.returncode}."
        raise SandboxError("A worker ended with an error.", why=why, do=f"Look into {start.log}.")
