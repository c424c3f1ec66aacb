"""Workers of a driver: started while there is work, never more than asked for, on this machine or by a scheduler."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from mibench.core.errors import MibenchError, SandboxError
from mibench.runner.executors.calls import Failed
from mibench.runner.executors.executor import Lost, Task

WORKER = (sys.executable, "-P", "-s", "-m", "mibench.shared_task.work")
"""The command of a worker; the spool and the sandbox follow."""
LOG = "workers.txt"
_PATIENCE = 3
_TERMINATED = 128 + signal.SIGTERM
"""Status of a process that ended since it was asked to."""
SECONDS_TO_STOP = 20.0
"""Time that a worker has to hand its job back."""


class Agency(Protocol):
    """Starts workers."""

    def start(self, n: int) -> list[Task]:
        """Start so many.

        Raises:
            MibenchError: None can be started.
        """

    def stop(self, workers: Sequence[Task]) -> None:
        """Have workers hand their jobs back, and wait until they have."""


Hire = Callable[[Sequence[str], int, Path], Agency]
"""What makes an agency of the command of a worker, how many there are at once, and the file of what they say."""


class Crew:
    """Workers of a driver.

    Args:
        agency: Starts them.
        size: How many there are at once.
        log: File of what they say.
    """

    def __init__(self, agency: Agency, size: int, log: Path) -> None:
        self._agency, self._size, self._log = agency, size, log
        self._alive: list[Task] = []
        self._failed = 0

    def keep(self, n_waiting: int, n_taken: int) -> None:
        """Start workers for the jobs that wait; those that have none yet, as in the queue of a cluster, will take some.

        Raises:
            SandboxError: They end with an error again and again, so that none of the jobs will ever be done.
            MibenchError: None can be started.
        """
        for worker in [worker for worker in self._alive if worker.done()]:
            self._alive.remove(worker)
            self._count(worker)
        idle = max(0, len(self._alive) - n_taken)
        n = min(n_waiting - idle, self._size - len(self._alive))
        if n > 0:
            self._alive += self._agency.start(n)

    def stop(self) -> None:
        """Have all of them hand their jobs back, and wait until they have."""
        self._agency.stop(self._alive)

    def _count(self, worker: Task) -> None:
        """Count failures in a row; a worker that was killed says nothing of those to come."""
        try:
            lost = worker.lost()
        except MibenchError:
            lost = Failed("It ended with an error.")
        if lost is None:
            self._failed = 0
        elif isinstance(lost, Failed):
            self._failed += 1
        if self._failed >= _PATIENCE:
            why = f"{self._failed} of them have ended with an error, one after the other."
            do = f"Look into {self._log}; all jobs are kept, so run the evaluation again."
            raise SandboxError("No worker can work here.", why=why, do=do)


class Here:
    """Starts workers on this machine.

    Args:
        command: What starts one.
        size: How many there are at once.
        log: File of what they say.
    """

    def __init__(self, command: Sequence[str], size: int, log: Path) -> None:  # noqa: ARG002  the crew keeps to it
        self._command, self._log = list(command), log

    def start(self, n: int) -> list[Task]:
        """Start so many."""
        return [_Process(self._command, self._log) for _ in range(n)]

    def stop(self, workers: Sequence[Task]) -> None:
        """Have workers hand their jobs back, and wait until they have."""
        for worker in workers:
            worker.cancel()
        for worker in workers:
            if isinstance(worker, _Process):
                worker.wait()


class _Process:
    """A worker on this machine."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with log.open("ab") as stream:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)

    def done(self) -> bool:
        return self._process.poll() is not None

    def lost(self) -> Lost | None:
        code = self._process.returncode
        if code < 0 or code == _TERMINATED:
            return Lost(f"It was ended by signal {-code if code < 0 else signal.SIGTERM.value}.")
        return Failed(f"It ended with status {code}.") if code else None

    def cancel(self) -> None:
        self._process.terminate()

    def wait(self) -> None:
        end(self._process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a worker that was told to stop; kill it where it does not."""
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
