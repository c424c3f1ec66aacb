"""A job of submitit as a task: how it starts on its node, and how it ended."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError, UsageError
from mibench.runner.executors.calls import Function, Home, attempt, lost_by
from mibench.runner.executors.executor import Lost

_WHY = {
    "OUT_OF_MEMORY": "Slurm killed its worker for its memory.",
    "TIMEOUT": "Its worker met the time limit of its Slurm job.",
    "PREEMPTED": "Its worker was preempted.",
    "NODE_FAIL": "The node of its worker failed.",
    "CANCELLED": "Its Slurm job was cancelled.",
}
LOCAL_LOG = "local.err"
"""What submitit's processes on this machine say, each of which watches over a worker."""
_OF_MEMORY = re.compile(r"oom[-_ ]kill", re.IGNORECASE)
_ERRORS = 2
_OF_SUBMITIT = (signal.SIGUSR2, signal.SIGTERM, signal.SIGCONT)


def auto_executor(folder: Path, cluster: str) -> Any:
    """Return submitit's executor for a cluster.

    Raises:
        UsageError: submitit is not installed, or Slurm is not on this machine.
    """
    try:
        import submitit
    except ImportError as error:
        why, do = "Slurm is spoken to through it.", "pip install 'mibench[slurm]'"
        raise UsageError("submitit is not installed.", why=why, do=do) from error
    missing = [name for name in ("sbatch", "srun") if shutil.which(name) is None]
    if cluster == "slurm" and missing:
        do = "Run this on a login node of the cluster; --scheduler cluster=local does without Slurm."
        raise UsageError("Slurm is not on this machine.", why=f"There is no command {missing[0]}.", do=do)
    logging.getLogger("submitit").setLevel(logging.CRITICAL)  # it would write to standard output
    return submitit.AutoExecutor(folder, cluster=cluster)


def calling(cluster: str, function: Function, argument: object) -> tuple[Any, ...]:
    """What submitit is to call, so that a function is called as it would be here."""
    return (attempt if cluster == "debug" else _in_job, function, argument, Home.here())


def _in_job(function: Function, argument: object, home: Home) -> MibenchError | str | None:
    """Call a function in a process of its own.

    submitit would raise its own error in the middle of it before time runs out, and would not end when it is told to.
    """
    for number in _OF_SUBMITIT:
        signal.signal(number, signal.SIG_IGN if number is signal.SIGUSR2 else signal.SIG_DFL)
    return attempt(function, argument, home)


@contextmanager
def errors_to(log: Path) -> Iterator[None]:
    """Give processes that start meanwhile a file as their standard error, which submitit leaves as it is."""
    sys.stderr.flush()
    kept = os.dup(_ERRORS)
    try:
        with log.open("ab") as file:
            os.dup2(file.fileno(), _ERRORS)
        yield
    finally:
        os.dup2(kept, _ERRORS)
        os.close(kept)


class SlurmTask:
    """A job of submitit.

    Args:
        job: The job.
        is_due: Whether Slurm is to be asked for states now.
    """

    def __init__(self, job: Any, is_due: Callable[[], bool]) -> None:
        self._job, self._is_due = job, is_due

    def done(self) -> bool:
        """Whether it has ended; submitit takes a preempted job for one that comes back."""
        try:
            return bool(self._job.done(self._is_due())) or self._job.state.startswith("PREEMPTED")
        except RuntimeError:  # cancelled, where jobs are debugged in this process
            return True

    def lost(self) -> Lost | None:
        """Why it ended before its end.

        Raises:
            MibenchError: What was called raised it.
        """
        state = self._job.state.split(" ")[0].rstrip("+")
        if not self._job.paths.result_pickle.exists() and state not in {"COMPLETED", "DONE"}:
            said = self._last_words()
            why = _WHY.get(state) or f"Its worker ended in the state {state}; it last said: {said or 'nothing'}"
            return Lost(why, memory=state == "OUT_OF_MEMORY" or _OF_MEMORY.search(said) is not None)
        try:
            problem = self._job.result()
        except (RuntimeError, OSError, EOFError) as error:
            return Lost(str(error).strip()[-500:] or f"Its result cannot be read (state {state}).")
        return lost_by(problem)

    def _last_words(self) -> str:
        """The end of its log, which goes when the run ends."""
        for log in (self._job.paths.stderr, self._job.paths.folder / LOCAL_LOG):
            with suppress(OSError):
                return " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-500:]
        return ""

    def cancel(self) -> None:
        """Take it back, or kill its worker."""
        self._job.cancel(check=False)
