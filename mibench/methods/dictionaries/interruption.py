"""Ctrl-C in the middle of a step waits for its end, so that what is kept is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """Holds a first Ctrl-C back within a block, and raises it at the end; a second one is not held back.

    Only where Ctrl-C would raise ``KeyboardInterrupt``: in the main thread, and where nobody handles it otherwise.

    Attributes:
        asked: Whether there was one.
    """

    def __init__(self) -> None:
        self.asked = False
        self._holds = False

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self._holds = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._holds:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._holds:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.asked:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.default_int_handler(number, frame)
        self.asked = True
