"""A worker process of this machine: how it begins, what it was sent, and why it ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path

import torch
from pebble import ProcessExpired, ProcessFuture, ProcessPool
from threadpoolctl import threadpool_limits

from mibench.core.errors import MibenchError
from mibench.core.processes import end_with_parent
from mibench.runner.driving.driver_file import is_gone, sign
from mibench.runner.driving.workplace import OVERDUE
from mibench.runner.executors.executor import Lost, Order
from mibench.runner.executors.work import do, use_device

_CGROUP = Path("/sys/fs/cgroup")
_PATIENCE = 3.0
"""Seconds in which a pool tells of a worker that has ended, unless that ended as if all were well."""


def begin(driver: int, threads: int, device: str | None) -> None:
    """Make this process a worker: it ends with its driver, and keeps to its share of the machine.

    Args:
        driver: Process that started it.
        threads: Threads of one operation.
        device: Device of torch for all jobs; None: that of their settings.
    """
    if not end_with_parent(driver, signal.SIGKILL):
        os._exit(1)
    torch.set_num_threads(min(threads, torch.get_num_threads()))
    threadpool_limits(min(threads, torch.get_num_threads()))
    use_device(device)


def signed(order: Order) -> None:
    """Do an order, after noting which process does it.

    Raises:
        MibenchError: As of doing it, or the note cannot be written.
    """
    sign(_note(order))
    do(order)


def _note(order: Order) -> Path:
    return order.events.with_suffix(".worker")


class Sent:
    """An order that waits for a worker, or has one.

    Args:
        order: The order.
        fill: Gives waiting orders to workers that are free.

    Attributes:
        pool: Where it was sent.
        future: What becomes of it; None: it waits.
        kills: Processes of this machine that had been killed for memory when it was sent.
    """

    def __init__(self, order: Order, fill: Callable[[], None]) -> None:
        self.order, self._fill = order, fill
        self.pool: ProcessPool | None = None
        self.future: ProcessFuture[None] | None = None
        self.kills = 0
        self._gone_since: float | None = None

    @property
    def ended(self) -> bool:
        """Whether its worker has ended it, or has ended."""
        # A pool that breaks between two orders forgets the second one.
        return self.future is not None and (self.future.done() or not (self.pool and self.pool.active) or self._left())

    def _left(self) -> bool:
        """Whether its worker is gone and the pool does not tell, as of one that ended with status 0."""
        if self._gone_since is None and is_gone(_note(self.order)):
            self._gone_since = time.monotonic()
        return self._gone_since is not None and time.monotonic() - self._gone_since > _PATIENCE

    @property
    def well(self) -> bool:
        """Whether its worker has ended it, and can take another."""
        return self.future is not None and self.future.done() and self.lost_in() is None

    def lost_in(self) -> BaseException | None:
        """What its worker ended in; None: it did all of it."""
        if self.future is None or self.future.cancelled():
            return CancelledError("It was taken back.")
        if self.future.done():
            return self.future.exception()
        return OSError("It ended before it began." if self._gone_since is None else "Its process ended with status 0.")

    def done(self) -> bool:
        """Whether its worker has ended it, or has ended."""
        self._fill()
        return self.ended

    def lost(self) -> Lost | None:
        """Why its worker ended early; what holds for all jobs is raised."""
        error = self.lost_in()
        if isinstance(error, MibenchError):
            raise error
        if isinstance(error, ProcessExpired) and error.exitcode:
            return lost_for(error.exitcode, self.kills)
        if error is not None and self._gone_since is not None:
            return Lost(str(error))
        return None if error is None else Lost(f"It failed with {type(error).__name__}: {error}")

    def cancel(self) -> None:
        """Take it back; its worker is killed."""
        if self.future is not None:
            self.future.cancel()  # type: ignore[no-untyped-call]


def memory_kills() -> int:
    """How many processes were killed for memory so far, on this machine or in this container."""
    files = [Path("/proc/vmstat"), _CGROUP / "memory.events", _CGROUP / _own_group() / "memory.events"]
    return sum(_counter(file) for file in dict.fromkeys(files))


def _own_group() -> str:
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::/"):
                return line.removeprefix("0::/")
    return ""


def _counter(file: Path) -> int:
    with suppress(OSError, ValueError):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def lost_for(status: int | None, kills_before: int) -> Lost:
    """Why a worker ended.

    Args:
        status: Its exit status, negative for a signal; None: not known.
        kills_before: What `memory_kills` gave before.
    """
    if status == OVERDUE:
        return Lost("Its cell did not stop when its time was up.")
    if status is None or status >= 0:
        return Lost(f"Its process ended{'' if status is None else f' with status {status}'}.")
    memory = status == -signal.SIGKILL and memory_kills() > kills_before
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    return Lost("Its process was killed for its memory." if memory else f"Its process was ended by {name}.", memory)
