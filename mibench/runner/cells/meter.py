"""Measure what a piece of work costs: time, memory, and passes through the model."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil

from mibench.records.record import Cost

if TYPE_CHECKING:
    import torch

SAMPLE_SECONDS = 0.02


class Meter:
    """Measures the block it surrounds; callers add the passes they make.

    Time and memory are those of this process, its threads together, without child processes. Peak memory is
    the highest resident size: exact where the block raises the process's own high-water mark (``ru_maxrss``),
    else the highest of samples every 20 ms, which can miss a shorter spike below the earlier mark. On devices with
    memory of their own it is what tensors took there at most, on the fullest of them.

    Args:
        devices: Where the model computes; none: in the memory of the process.

    >>> with Meter() as meter:
    ...     meter.forward(8)
    >>> meter.cost().forward_passes
    8.0
    """

    def __init__(self, devices: Sequence[torch.device] = ()) -> None:
        self._devices = tuple(devices)
        self._on_device: int | None = None
        self._lock = threading.Lock()
        self._forward = 0.0
        self._backward = 0.0
        self._examples = 0
        self._started: _Clock | None = None
        self._stopped: _Clock | None = None
        self._memory = _PeakMemory()

    def __enter__(self) -> Self:
        if self._started is not None:
            raise RuntimeError("a meter measures one block")
        self._memory.start()
        _start_peak(self._devices)
        self._started = _Clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped = _Clock()
        self._on_device = _device_peak(self._devices)
        self._memory.stop()

    def forward(self, n_examples: float) -> None:
        """Add forward passes, in examples; a part of the layers counts as a fraction of a pass."""
        with self._lock:
            self._forward += _amount(n_examples)

    def backward(self, n_examples: float) -> None:
        """Add backward passes, in examples; a part of the layers counts as a fraction of a pass."""
        with self._lock:
            self._backward += _amount(n_examples)

    def examples(self, n_examples: int) -> None:
        """Add examples handled, each once however many passes it takes."""
        with self._lock:
            self._examples += int(_amount(n_examples))

    def cost(self) -> Cost:
        """Return the cost so far, or that of the whole block once it has ended."""
        with self._lock:
            forward, backward, examples = self._forward, self._backward, self._examples
        now = self._stopped or _Clock()
        start = self._started or now
        return Cost(
            seconds=now.wall - start.wall,
            cpu_seconds=now.cpu - start.cpu,
            peak_bytes=self._peak(),
            forward_passes=forward,
            backward_passes=backward,
            examples=examples,
        )

    def _peak(self) -> int:
        on_device = self._on_device if self._stopped else _device_peak(self._devices)
        return self._memory.peak() if on_device is None else on_device


class _Clock:
    """Wall and processor time at one moment."""

    def __init__(self) -> None:
        self.wall = time.perf_counter()
        self.cpu = time.process_time()


class _PeakMemory:
    """Highest resident size between start and stop."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mibench-meter", daemon=True)
        self._sampled = 0
        self._mark_before = _high_water_mark()
        self._mark_after: int | None = None

    def start(self) -> None:
        self._mark_before = _high_water_mark()
        self._sample()
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
        self._sample()
        self._mark_after = _high_water_mark()

    def peak(self) -> int:
        if self._mark_after is None:
            self._sample()
        mark = _high_water_mark() if self._mark_after is None else self._mark_after
        return max(self._sampled, mark) if mark > self._mark_before else self._sampled

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        self._sampled = max(self._sampled, self._process.memory_info().rss)


def _high_water_mark() -> int:
    """Highest resident size of this process's life in bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _start_peak(devices: Sequence[torch.device]) -> None:
    if devices:  # torch is slow to import, and nothing of it is needed without
        from mibench.engine.memory import start_peak

        start_peak(devices)


def _device_peak(devices: Sequence[torch.device]) -> int | None:
    if not devices:
        return None
    from mibench.engine.memory import device_peak

    return device_peak(devices)


def _amount(n_examples: float) -> float:
    if not 0 <= n_examples < float("inf"):
        raise ValueError(f"{n_examples} is not a number of examples")
    return n_examples
