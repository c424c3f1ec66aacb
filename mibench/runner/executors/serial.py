"""Jobs one after another, in this process."""

from __future__ import annotations

from collections.abc import Sequence

from mibench.runner.executors.executor import Executor, Lost, Means, Order, Task, executor
from mibench.runner.executors.work import do
from mibench.runner.observe import Observer


@executor(name="serial")
def serial(means: Means) -> Executor:
    """This process, one job after another."""
    return Serial(means.observer)


class Done:
    """An order that has been done."""

    def done(self) -> bool:
        """It is."""
        return True

    def lost(self) -> Lost | None:
        """Who is lost here does not ask."""
        return None

    def cancel(self) -> None:
        """There is nothing to take back."""


class Serial:
    """Does orders as they come.

    Args:
        observer: Told of all stages.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def submit(self, orders: Sequence[Order]) -> list[Task]:
        """Do the orders."""
        found: list[Task] = []
        for order in orders:
            do(order, self._observer)
            found.append(Done())
        return found

    def close(self) -> None:
        """There is nobody to end."""
