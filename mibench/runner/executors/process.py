"""Worker processes of this machine, each with a model and a device of its own."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Sequence

from pebble import ProcessPool

from mibench.runner.executors.executor import Executor, Means, Order, Task, executor
from mibench.runner.executors.worker_process import Sent, begin, memory_kills, signed


@executor(name="process")
def process(means: Means) -> Executor:
    """Processes of this machine."""
    return Processes(means)


class Processes:
    """One pool of one process a worker, so that a model stays on its device; orders wait for the first to be free.

    Args:
        means: How many workers, and their devices.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._waiting: deque[Sent] = deque()
        self._at_work: list[tuple[ProcessPool, Sent] | None] = [None] * means.workers

    def submit(self, orders: Sequence[Order]) -> list[Task]:
        """Have orders done."""
        found = [Sent(order, self._fill) for order in orders]
        self._waiting += found
        self._fill()
        return list(found)

    def close(self) -> None:
        """Kill all workers."""
        self._waiting.clear()
        _end([known[0] for known in self._at_work if known is not None])

    def _fill(self) -> None:
        """Give waiting orders to free workers; one that has died is replaced."""
        for number, known in enumerate(self._at_work):
            if self._waiting and (known is None or known[1].ended):
                pool = known[0] if known is not None and known[0].active and known[1].well else self._pool(number)
                sent = self._waiting.popleft()
                self._at_work[number] = pool, sent
                sent.pool, sent.kills = pool, memory_kills()
                sent.future = pool.schedule(signed, args=(sent.order,))

    def _pool(self, number: int) -> ProcessPool:
        known, devices = self._at_work[number], self._means.devices
        _end([] if known is None else [known[0]])
        device = devices[number % len(devices)] if devices else None
        share = os.getpid(), max(1, (os.cpu_count() or 1) // self._means.workers), device
        return ProcessPool(1, initializer=begin, initargs=share, context=multiprocessing.get_context("spawn"))


def _end(pools: Sequence[ProcessPool]) -> None:
    for pool in pools:
        pool.stop()  # type: ignore[no-untyped-call]
    for pool in pools:
        pool.join()
