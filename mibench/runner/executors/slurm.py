"""Jobs of Slurm, through submitit: one array for what is submitted at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from mibench.core.errors import MibenchError
from mibench.runner.executors.calls import Function, Turns
from mibench.runner.executors.executor import Means, Order, Task, executor
from mibench.runner.executors.options import SlurmOptions, checked
from mibench.runner.executors.slurm_jobs import LOCAL_LOG, SlurmTask, auto_executor, calling, errors_to

_LONGEST_ARRAY, _ASK_EVERY, _PATIENCE = 1000, 60.0, 5.0


@executor(name="slurm")
class Slurm:
    """Workers are jobs of Slurm, at most ``workers`` of an array at once; or processes here, with ``cluster=local``.

    Args:
        means: Their number, and what Slurm is to be told.

    Raises:
        UsageError: submitit is not installed, Slurm is not here, or an option is unknown.
    """

    def __init__(self, means: Means) -> None:
        options = checked(means, "slurm", SlurmOptions)
        self._cluster, self._tasks, self._asked = options.cluster, list[SlurmTask](), time.monotonic()
        folder = means.folder.absolute() / "submitit"
        self._executor, self._log = auto_executor(folder, options.cluster), folder / LOCAL_LOG
        self._executor.update_parameters(**options.parameters(means.workers))
        self._turns = Turns(lambda function, argument: self._array(function, [argument])[0], means.workers)

    def submit(self, orders: Sequence[Order]) -> list[Task]:
        """Have orders done."""
        from mibench.runner.executors.work import do

        return self.call(do, orders)

    def call(self, function: Function, arguments: Sequence[Any]) -> list[Task]:
        """Have a function called; submitit begins with all that is local at once, so that takes turns."""
        if self._cluster == "local":
            return self._turns.call(function, arguments)
        parts = [arguments[first : first + _LONGEST_ARRAY] for first in range(0, len(arguments), _LONGEST_ARRAY)]
        return [task for part in parts for task in self._array(function, part)]

    def close(self) -> None:
        """Cancel what has not ended; of processes here, wait until they are gone."""
        self._turns.drop()
        left, end = [task for task in self._tasks if not task.done()], time.monotonic() + _PATIENCE
        for task in left:
            task.cancel()
        while self._cluster == "local" and time.monotonic() < end and not all(task.done() for task in left):
            time.sleep(0.05)

    def _array(self, function: Function, arguments: Sequence[Any]) -> list[Task]:
        try:
            with self._said_apart(), self._executor.batch():
                jobs = [self._executor.submit(*calling(self._cluster, function, one)) for one in arguments]
        except (RuntimeError, OSError) as error:
            why = str(error).strip()[-500:] or "It does not say why."
            do = "Check --scheduler: sinfo lists partitions and time limits, sacctmgr show assoc accounts and qos."
            raise MibenchError("Slurm does not take the jobs.", why=why, do=do) from error
        tasks = [SlurmTask(job, self._is_due) for job in jobs]
        self._tasks += tasks
        return list(tasks)

    def _said_apart(self) -> AbstractContextManager[None]:
        """What starts processes here has a log of its own; it would tell how it was interrupted."""
        return errors_to(self._log) if self._cluster == "local" else nullcontext()

    def _is_due(self) -> bool:
        """Whether Slurm is to be asked now; submitit by itself waits up to ten minutes."""
        if time.monotonic() - self._asked < _ASK_EVERY:
            return False
        self._asked = time.monotonic()
        return True
