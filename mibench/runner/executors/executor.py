"""What an executor is: it has workers do orders, and says which of them were lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mibench.core.registry import Registry
from mibench.runner.observe import Observer

EXECUTORS = Registry("executor", "mibench.runner.executors")
"""All executors by name, those of other packages included (entry points ``mibench.executors``)."""


@dataclass(frozen=True)
class Order:
    """Work for one worker, as plain data that any scheduler can carry.

    Attributes:
        settings: The run, as JSON; the worker makes the same plan of it.
        jobs: Places of the jobs in that plan, in the order in which they are to be done.
        events: File that the worker writes what it does to, one JSON object a line.
        batch_size: Pairs a batch, at most, after memory ran out; None: as the settings say.
        given_up: Why a job is not to be tried again, by its place; its record says so.
        attempt: Which try of these jobs it is, from 1.
    """

    settings: str
    jobs: tuple[int, ...]
    events: Path
    batch_size: int | None = None
    given_up: Mapping[int, str] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True)
class Lost:
    """Why a worker did not come to the end of its order.

    Attributes:
        why: In words, a sentence.
        memory: Whether the machine killed it for its memory.
    """

    why: str
    memory: bool = False


class Task(Protocol):
    """An order that a scheduler has taken."""

    def done(self) -> bool:
        """Whether the worker has ended, well or not; never waits."""

    def lost(self) -> Lost | None:
        """Why it ended before its order did; None: it did all of it. Asked once it is done."""

    def cancel(self) -> None:
        """Take it back, or kill its worker."""


class Executor(Protocol):
    """Runs orders on workers that see the folder of records.

    The function that workers call is ``mibench.runner.executors.work.do``; ending well, it has come to each job.
    """

    def submit(self, orders: Sequence[Order]) -> list[Task]:
        """Have orders done, as soon as workers are free.

        Raises:
            MibenchError: The scheduler cannot be reached, or refuses.
        """

    def close(self) -> None:
        """End all workers; what they were at is lost and can be done again."""


@dataclass(frozen=True)
class Means:
    """What an executor has to work with.

    Attributes:
        workers: Workers at once.
        folder: Folder for its own files, seen by all workers.
        devices: Devices of torch that workers take turns at; none: that of the settings, for all.
        options: What the scheduler is to be told, such as ``partition`` of Slurm.
        observer: Told of stages, where jobs are done in this process.
    """

    workers: int
    folder: Path
    devices: tuple[str, ...]
    options: Mapping[str, Any]
    observer: Observer


Make = TypeVar("Make", bound=Callable[[Means], Executor])


def executor(*, name: str) -> Callable[[Make], Make]:  # noqa: ARG001  the registry reads it without importing
    """Register what makes an executor of its means.

    >>> @executor(name="threads")
    ... def threads(means): ...
    """

    def register(make: Make) -> Make:
        return make

    return register
