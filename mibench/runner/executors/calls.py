"""Calls that another library's scheduler carries out: what is sent with them, their turns, and how they end."""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mibench.core.errors import MibenchError
from mibench.runner.executors.executor import Lost, Task

Function = Callable[[Any], None]
_PAUSE = 0.02
_NOT_SENT = re.compile(
    r"(RAY|SLURM|SBATCH|SUBMITIT|SSH)_.*|(CUDA|ROCR|HIP)_VISIBLE_DEVICES|HOSTNAME|PWD|OLDPWD|SHLVL|_|DISPLAY|TMPDIR"
    r"|XDG_RUNTIME_DIR|(.*_)?TOKEN|.*(SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY).*",
    re.IGNORECASE,
)


class Failed(Lost):
    """The function itself ended with an error that is none of mibench, so that the next call of it may as well."""


class Caller(Protocol):
    """An executor that calls any function of a module, not only `mibench.runner.executors.work.do`."""

    def call(self, function: Function, arguments: Sequence[Any]) -> list[Task]:
        """Have a function called with each argument, as soon as workers are free.

        Raises:
            MibenchError: The scheduler cannot be reached, or refuses.
        """

    def close(self) -> None:
        """End all workers."""


def surroundings() -> dict[str, str]:
    """Variables that workers on other machines are to have: no secrets, and nothing that is a machine's own."""
    return {name: value for name, value in os.environ.items() if not _NOT_SENT.fullmatch(name)}


@dataclass(frozen=True)
class Home:
    """What a worker has of the process that it works for.

    Attributes:
        folder: Its working folder.
        words: Its command line, which records name.
    """

    folder: str
    words: tuple[str, ...]

    @classmethod
    def here(cls) -> Home:
        """That of this process."""
        return cls(str(Path.cwd()), tuple(sys.argv))


def attempt(function: Function, argument: object, home: Home) -> MibenchError | str | None:
    """Call a function as if it were at home; return what went wrong. Unforeseen errors go to the worker's log too."""
    try:
        os.chdir(home.folder)
        sys.argv = list(home.words)
        function(argument)
    except MibenchError as error:
        return error
    except Exception as error:  # noqa: BLE001  as text it comes back whole, whatever it is
        traceback.print_exc(file=sys.stderr)
        return f"{type(error).__name__}: {error}"
    return None


def lost_by(problem: MibenchError | str | None) -> Lost | None:
    """What a call that came back was lost by.

    Raises:
        MibenchError: The function raised it.
    """
    if isinstance(problem, MibenchError):
        raise problem
    return None if problem is None else Failed(f"It failed with {problem}")


class Turns:
    """Calls that take turns, where a scheduler would begin with all of them: the others wait here.

    Args:
        start: Starts one.
        most: How many there are at once.
    """

    def __init__(self, start: Callable[[Function, Any], Task], most: int) -> None:
        self._start, self._most, self._looked = start, most, float("-inf")
        self._waiting: deque[Turn] = deque()
        self._running: list[Task] = []

    def call(self, function: Function, arguments: Sequence[Any]) -> list[Task]:
        """Take calls in."""
        turns = [Turn(self, function, argument) for argument in arguments]
        self._waiting.extend(turns)
        self.go_on()
        return list(turns)

    def go_on(self) -> None:
        """Start what may start now."""
        self._running = [task for task in self._running if not task.done()]
        while self._waiting and len(self._running) < self._most:
            turn = self._waiting.popleft()
            if not turn.cancelled:
                turn.task = self._start(turn.function, turn.argument)
                self._running.append(turn.task)

    def drop(self) -> None:
        """Take back those that wait."""
        while self._waiting:
            self._waiting.popleft().cancelled = True

    def look(self) -> None:
        """Go on, unless that was tried a moment ago: there may be thousands that ask."""
        now = time.monotonic()
        if now - self._looked >= _PAUSE:
            self._looked = now
            self.go_on()


class Turn:
    """A call that waits for its turn, or has had it."""

    def __init__(self, turns: Turns, function: Function, argument: object) -> None:
        self._turns, self.function, self.argument = turns, function, argument
        self.task: Task | None = None
        self.cancelled = False

    def done(self) -> bool:
        """Whether it has ended, or will not begin."""
        self._turns.look()
        return self.cancelled if self.task is None else self.task.done()

    def lost(self) -> Lost | None:
        """Why it ended before its end."""
        return Lost("It was cancelled before it began.") if self.task is None else self.task.lost()

    def cancel(self) -> None:
        """Take it back, or end it."""
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()
