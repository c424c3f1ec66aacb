"""A meter measures its block."""

from __future__ import annotations

import threading
import time

import numpy as np
import psutil
import pytest

from mibench.runner.cells import meter as module
from mibench.runner.cells.meter import Meter


def test_passes_and_examples_add_up() -> None:
    with Meter() as meter:
        meter.forward(8)
        meter.forward(0.5)
        meter.backward(4)
        meter.examples(8)
        meter.examples(2)
    cost = meter.cost()
    assert (cost.forward_passes, cost.backward_passes, cost.examples) == (8.5, 4.0, 10)


def test_counts_of_many_threads_are_not_lost() -> None:
    def count() -> None:
        for _ in range(2000):
            meter.forward(1)
            meter.backward(1)

    with Meter() as meter:
        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (meter.cost().forward_passes, meter.cost().backward_passes) == (8000, 8000)


def test_sleeping_takes_wall_time_and_no_processor_time() -> None:
    with Meter() as meter:
        time.sleep(0.2)
    cost = meter.cost()
    assert 0.2 <= cost.seconds < 5
    assert cost.cpu_seconds is not None
    assert cost.cpu_seconds < 0.15


def test_computing_takes_processor_time() -> None:
    with Meter() as meter:
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
    cost = meter.cost()
    assert cost.cpu_seconds is not None
    assert cost.cpu_seconds >= 0.1


def test_time_stands_still_after_the_block_and_runs_within_it() -> None:
    with Meter() as meter:
        first = meter.cost()
        time.sleep(0.02)
        assert meter.cost().seconds >= first.seconds + 0.02
    ended = meter.cost()
    time.sleep(0.02)
    assert meter.cost() == ended


@pytest.mark.parametrize("marks", [True, False], ids=["with high-water mark", "by samples alone"])
def test_memory_that_is_freed_within_the_block_counts(monkeypatch: pytest.MonkeyPatch, *, marks: bool) -> None:
    if not marks:
        monkeypatch.setattr(module, "_high_water_mark", lambda: 0)
    before = psutil.Process().memory_info().rss
    size = 100 * 2**20
    with Meter() as meter:
        block = np.ones(size, dtype=np.uint8)
        time.sleep(0.1)
        del block
    peak = meter.cost().peak_bytes
    assert peak is not None
    assert before + 0.9 * size < peak < before + 3 * size


def test_memory_of_an_earlier_spike_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_high_water_mark", lambda: 2**50)
    with Meter() as meter:
        time.sleep(0.03)
    peak = meter.cost().peak_bytes
    assert peak is not None
    assert peak < 2**40


def test_a_mark_that_rises_within_the_block_is_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = iter([2**49, 2**49])
    monkeypatch.setattr(module, "_high_water_mark", lambda: next(marks, 2**50))
    with Meter() as meter:
        pass
    assert meter.cost().peak_bytes == 2**50


def test_the_sampling_thread_ends_with_the_block_even_after_an_error() -> None:
    def fail() -> None:
        with Meter():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "mibench-meter" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("count", [-1, float("nan"), float("inf")])
def test_a_count_that_is_no_count_is_refused(count: float) -> None:
    meter = Meter()
    for add in (meter.forward, meter.backward, meter.examples):
        with pytest.raises(ValueError, match="not a number of examples"):
            add(count)  # type: ignore[operator]
    assert meter.cost().forward_passes == 0


def test_a_meter_is_used_once() -> None:
    with Meter() as meter:
        pass
    with pytest.raises(RuntimeError, match="one block"):
        meter.__enter__()


def test_a_meter_that_was_not_started_counts_and_has_taken_no_time() -> None:
    meter = Meter()
    meter.forward(3)
    cost = meter.cost()
    assert (cost.forward_passes, cost.seconds, cost.cpu_seconds) == (3.0, 0.0, 0.0)
