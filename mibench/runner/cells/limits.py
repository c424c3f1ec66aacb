"""How long a cell may take."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType

LEAST_GRACE, MOST_GRACE = 2.0, 60.0
"""Seconds that a cell has to end in after its time is up: a tenth of its time, within these."""


class TimeUp(BaseException):
    """The time of a cell is up; no method takes it for an exception of its own."""


def within(seconds: float | None, overdue: Callable[[], None] | None = None) -> AbstractContextManager[None]:
    """Raise in the block after so many seconds; clocks that are set do not matter.

    Off the main thread nothing can be raised, and only ``overdue`` helps.

    Args:
        seconds: None: there is no limit.
        overdue: Called in another thread where the block does not end soon after; it ends the process.

    Raises:
        TimeUp: Time is up.
    """
    return _Limit(seconds, overdue)


class _Limit(AbstractContextManager[None]):
    """A block with its time; its end is never interrupted, so that no alarm is left behind.

    Args:
        seconds: None: there is no limit.
        overdue: Called where the block does not end.
    """

    def __init__(self, seconds: float | None, overdue: Callable[[], None] | None) -> None:
        self._seconds = seconds
        self._watchdog: threading.Timer | None = None
        if seconds is not None and overdue is not None:
            grace = min(MOST_GRACE, max(LEAST_GRACE, seconds / 10))
            self._watchdog = threading.Timer(seconds + grace, overdue)
            self._watchdog.daemon = True
        here = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
        self._alarms = seconds is not None and here

    def __enter__(self) -> None:
        self._start = time.monotonic()
        if self._watchdog is not None:
            self._watchdog.start()
        if self._alarms and self._seconds is not None:
            self._handler = signal.signal(signal.SIGALRM, self._raise)
            # Again and again: what is raised while an object is being removed is swallowed.
            self._other = signal.setitimer(signal.ITIMER_REAL, self._seconds, LEAST_GRACE)

    def __exit__(self, *_: object) -> None:
        if self._alarms:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._handler)
            delay, interval = self._other
            if delay:  # of somebody else, who is to have it in time
                left = max(0.001, delay - (time.monotonic() - self._start))
                signal.setitimer(signal.ITIMER_REAL, left, interval)
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _raise(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        while frame is not None:
            if frame.f_code in _UNINTERRUPTED:
                return
            frame = frame.f_back
        raise TimeUp


_UNINTERRUPTED = {_Limit.__enter__.__code__, _Limit.__exit__.__code__}
