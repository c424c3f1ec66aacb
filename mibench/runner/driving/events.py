"""What workers tell the driver, through a file: one JSON object a line."""

from __future__ import annotations

import errno
import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from mibench.core.errors import MibenchError, StoreError

Kind = Literal["started", "stage", "done", "problem"]
TIME = "time"
"""Status of a job whose worker was ended because its time was up."""


@dataclass(frozen=True)
class Event:
    """What happened to a job.

    Attributes:
        event: What it is.
        job: Place of the job in the plan.
        label: Name of the job, or of its stage.
        cell: Id of its cell, once it is known.
        status: Status of its record, once there is one; of a problem, ``TIME`` or nothing.
        reused: Whether the record was there already.
        record: Where the record lies, in the folder of records.
        error: Kind of a problem, as `mibench.core.errors` names it.
        what: What happened.
        why: The cause.
        do: What the user can do about it.
        seconds: How long the job took.
        made: When the record was made, if it was reused.
        attempt: Which try it is.
        batch_size: Pairs a batch.
        time: When it happened, in seconds of the worker's clock.
        pid: Process of the worker.
        host: Machine of the worker.
    """

    event: Kind
    job: int
    label: str = ""
    cell: str | None = None
    status: str | None = None
    reused: bool = False
    record: str | None = None
    error: str | None = None
    what: str | None = None
    why: str | None = None
    do: str | None = None
    seconds: float | None = None
    made: str | None = None
    attempt: int = 1
    batch_size: int | None = None
    time: float = field(default_factory=time.time)
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=platform.node)

    @property
    def ends(self) -> bool:
        """Whether nothing more is to come of the job from this worker."""
        return self.event == "done" or (self.event == "problem" and self.status != TIME)


class EventFile:
    """Writes events to a file, each at once.

    Args:
        path: Where; what is there is kept.

    Raises:
        StoreError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        make_parent(path)
        with suppress(OSError):
            if path.stat().st_size:  # A worker that was killed may have left half a line.
                self._append(b"\n")

    def write(self, event: Event) -> None:
        """Add an event.

        Raises:
            StoreError: It cannot be written.
        """
        told = {name: value for name, value in asdict(event).items() if value is not None}
        self._append(json.dumps(told, ensure_ascii=False).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        append(self._path, line)


def make_parent(path: Path) -> None:
    """Make the folder of a file.

    Raises:
        StoreError: It cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritten(path, error.strerror or str(error)) from error


def append(path: Path, line: bytes) -> None:
    """Add a line to a file, in one piece.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        with path.open("ab", buffering=0) as stream:
            before = stream.seek(0, os.SEEK_END)
            if stream.write(line) != len(line):
                stream.truncate(before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise _unwritten(path, error.strerror or str(error)) from error


def _unwritten(path: Path, why: str) -> StoreError:
    do = "Free space or choose another folder; finished cells are kept, and the same command goes on from there."
    return StoreError(f"{path} could not be written.", why=f"{why}.", do=do)


class Tail:
    """Reads the events that a file has grown by.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def read(self) -> list[Event]:
        """New events, as far as their lines are whole; what is no event is passed over."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._at)
                content = stream.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._at += len(whole)
        return [event for line in whole.splitlines() if (event := _parsed(line)) is not None]


_NAMES = frozenset(one.name for one in fields(Event))


def _parsed(line: bytes) -> Event | None:
    with suppress(ValueError, TypeError, AttributeError):
        found: dict[str, Any] = json.loads(line)
        return Event(**{name: value for name, value in found.items() if name in _NAMES})
    return None


def problem_of(event: Event) -> MibenchError:
    """The error that an event tells of."""
    kinds: list[type[MibenchError]] = [kind for kind in MibenchError.__subclasses__() if kind.__name__ == event.error]
    kind = kinds[0] if kinds else MibenchError
    return kind(event.what or "The job failed.", why=event.why or "It gave no reason.", do=event.do or "Try it again.")
