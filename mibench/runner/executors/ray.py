"""Tasks of Ray, on a cluster that there is or on a Ray of this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from mibench.runner.executors.calls import Function, Home, Turns, attempt, surroundings
from mibench.runner.executors.executor import Means, Order, Task, executor
from mibench.runner.executors.options import RayOptions, checked
from mibench.runner.executors.ray_cluster import RayTask, connected


@executor(name="ray")
class Ray:
    """Workers are tasks of Ray, ``workers`` at once, which tries none again: what is lost is submitted again.

    Workers start with this interpreter, in this folder, and with this environment but for secrets.

    Args:
        means: Their number, and what Ray is to be told.

    Raises:
        UsageError: Ray is not installed, or an option is unknown.
        MibenchError: It cannot be reached.
    """

    def __init__(self, means: Means) -> None:
        options = checked(means, "ray", RayOptions)
        self._ray, self._is_ours, is_here = connected(options, means.workers)
        # One that was started here has all of this from this process.
        about = {} if is_here else {"env_vars": surroundings(), "py_executable": sys.executable}
        self._remote = self._ray.remote(max_retries=0, runtime_env=about, **options.of_task())(attempt)
        self._turns, self._tasks = Turns(self._start, means.workers), list[RayTask]()

    def submit(self, orders: Sequence[Order]) -> list[Task]:
        """Have orders done."""
        from mibench.runner.executors.work import do

        return self.call(do, orders)

    def call(self, function: Function, arguments: Sequence[Any]) -> list[Task]:
        """Have a function called with each argument."""
        return self._turns.call(function, arguments)

    def close(self) -> None:
        """End all workers, and Ray itself where it was started here."""
        self._turns.drop()
        for task in self._tasks:
            if not task.done():
                task.cancel()
        if self._is_ours:
            self._ray.shutdown()

    def _start(self, function: Function, argument: object) -> Task:
        self._tasks.append(RayTask(self._ray, self._remote.remote(function, argument, Home.here())))
        return self._tasks[-1]
