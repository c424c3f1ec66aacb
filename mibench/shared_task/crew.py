"""Worker processes of a driver on its own machine: started while there is work, never more than asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mibench.core.errors import SandboxError
from mibench.shared_task.folder import private_folder

WORKER = (sys.executable, "-P", "-s", "-m", "mibench.shared_task.work")
"""The command of a worker; the spool and the sandbox follow."""
LOG = "workers.txt"
_PATIENCE = 3
_SECONDS_TO_STOP = 20.0


class Crew:
    """Workers of a driver.

    Args:
        command: What starts one.
        size: How many there are at once.
        logs: Folder of what they say.
    """

    def __init__(self, command: Sequence[str], size: int, logs: Path) -> None:
        self._command, self._size, self._log = list(command), size, private_folder(logs) / LOG
        self._alive: list[subprocess.Popen[bytes]] = []
        self._failed = 0

    def keep(self, n_waiting: int) -> None:
        """Start workers for the jobs that wait.

        Raises:
            SandboxError: They end with an error again and again, so that none of the jobs will ever be done.
        """
        for process in self._alive:
            code = process.poll()
            if code is not None:
                # One that was killed says nothing of those to come.
                self._failed = self._failed + 1 if code > 0 else 0 if code == 0 else self._failed
        self._alive = [process for process in self._alive if process.returncode is None]
        if self._failed >= _PATIENCE:
            why = f"{self._failed} of them have ended with an error, one after the other."
            do = f"Look into {self._log}; all jobs are kept, so run the evaluation again."
            raise SandboxError("No worker can work on this machine.", why=why, do=do)
        for _ in range(min(n_waiting, self._size - len(self._alive))):
            self._alive.append(self._start())

    def stop(self) -> None:
        """Have all of them hand their jobs back, and wait until they have."""
        for process in self._alive:
            process.terminate()
        for process in self._alive:
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
