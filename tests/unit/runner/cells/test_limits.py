from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress

import pytest

from mibench.runner.cells import limits
from mibench.runner.cells.limits import TimeUp, within


def test_time_that_is_up_ends_the_block_and_the_alarm_of_somebody_else_is_kept():
    handler = signal.getsignal(signal.SIGALRM)
    before = signal.setitimer(signal.ITIMER_REAL, 100.0)
    start = time.monotonic()
    with pytest.raises(TimeUp), within(0.1):
        time.sleep(20)
    assert time.monotonic() - start < 10
    assert 80 < signal.setitimer(signal.ITIMER_REAL, *before)[0] < 100
    assert signal.getsignal(signal.SIGALRM) is handler


def test_a_method_does_not_take_it_for_an_exception_of_its_own():
    with pytest.raises(TimeUp), within(0.1), suppress(Exception):
        time.sleep(20)


def test_a_block_in_time_and_one_without_a_limit_are_left_alone():
    called = []
    with within(30.0, lambda: called.append(1)), within(None):
        pass
    assert called == []


def test_a_block_that_does_not_end_is_reported_from_another_thread(monkeypatch):
    monkeypatch.setattr(limits, "LEAST_GRACE", 0.1)
    told = threading.Event()
    with suppress(TimeUp), within(0.05, told.set):
        end = time.monotonic() + 20
        while not told.is_set() and time.monotonic() < end:
            with suppress(TimeUp):
                time.sleep(0.01)
    assert told.is_set()


def test_off_the_main_thread_only_the_watchdog_helps(monkeypatch):
    monkeypatch.setattr(limits, "LEAST_GRACE", 0.05)
    told, ended = threading.Event(), threading.Event()

    def block() -> None:
        with within(0.05, told.set):
            told.wait(20)
        ended.set()

    threading.Thread(target=block).start()
    assert ended.wait(20)
    assert told.is_set()


def test_alarms_after_the_first_never_come_out_of_the_block(monkeypatch):
    monkeypatch.setattr(limits, "LEAST_GRACE", 0.0001)
    before = signal.setitimer(signal.ITIMER_REAL, 0)
    for _ in range(300):
        with suppress(TimeUp), within(0.0001):
            while True:
                with suppress(TimeUp):
                    time.sleep(0.0002)
                break
    end = time.monotonic() + 0.05
    while time.monotonic() < end:  # an alarm left behind would come here
        pass
    assert signal.setitimer(signal.ITIMER_REAL, *before)[0] == 0
