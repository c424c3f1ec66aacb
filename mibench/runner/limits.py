"""How long a cell may take."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

LEAST_GRACE, MOST_GRACE = 2.0, 60.0
"""Seconds that a cell has to end in after its time is up: a tenth of its time, within these."""


class TimeUp(BaseException):
    """The time of a cell is up; no method takes it for an exception of its own."""


@contextmanager
def within(seconds: float | None, overdue: Callable[[], None] | None = None) -> Iterator[None]:
    """Raise in the block after so many seconds; clocks that are set do not matter.

    Off the main thread nothing can be raised, and only ``overdue`` helps.

    Args:
        seconds: None: there is no limit.
        overdue: Called in another thread where the block does not end soon after; it ends the process.

    Raises:
        TimeUp: Time is up.
    """
    if seconds is None:
        yield
        return
    grace = min(MOST_GRACE, max(LEAST_GRACE, seconds / 10))
    watchdog = threading.Timer(seconds + grace, overdue) if overdue is not None else None
    if watchdog is not None:
        watchdog.daemon = True
        watchdog.start()
    try:
        with _alarm(seconds):
            yield
    finally:
        if watchdog is not None:
            watchdog.cancel()


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    handler, start = signal.signal(signal.SIGALRM, _raise), time.monotonic()
    # Again and again: what is raised while an object is being removed is swallowed.
    delay, interval = signal.setitimer(signal.ITIMER_REAL, seconds, LEAST_GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if delay:  # of somebody else, who is to have it in time
            signal.setitimer(signal.ITIMER_REAL, max(0.001, delay - (time.monotonic() - start)), interval)


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise TimeUp
