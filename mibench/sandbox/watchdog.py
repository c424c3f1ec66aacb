"""Watches a confined run from outside, ends it at a limit, and says how it ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from mibench.core.errors import SandboxError
from mibench.sandbox.confine import Confinement
from mibench.sandbox.processes import Process, kill_tree, memory_of, tree_of, unlinked_bytes
from mibench.sandbox.written import TooMuchError, bytes_below

Status = Literal["done", "failed", "timeout", "memory", "files"]

_POLL = 0.1
_BEAT = 1.0
_TAIL = 4096
_REASON = 100
_PIECE = 65536
_START = 60.0
_END = 10.0
_PAUSE = 0.02
# Counting files takes at most this share of the time.
_SHARE = 0.1
_LEAST_PAUSE = 0.3


@dataclass(frozen=True)
class Outcome:
    """How a confined run ended.

    Attributes:
        status: ``done`` (exit status 0), ``failed`` (another, or too many processes), or the limit it broke.
        exit_code: Exit status of the command, negative for a signal; none if it was killed at a limit.
        seconds: Wall-clock time.
        peak_bytes: Most memory that was seen.
        tail: The end of what it wrote to standard error and standard output; untrusted text, printable only.
    """

    status: Status
    exit_code: int | None
    seconds: float
    peak_bytes: int
    tail: str


class Watchdog:
    """One run, from the request to the outcome.

    Args:
        process: The back-end's process, its three streams piped.
        confinement: Limits of the run.
        backend: Name of the back-end.
    """

    def __init__(self, process: subprocess.Popen[bytes], confinement: Confinement, backend: str) -> None:
        self._process = process
        self._limits = confinement
        self._backend = backend
        self._told = bytearray()
        self._tail = bytearray()
        self._peak = 0
        self._started = time.monotonic()
        self._ready = False
        self._files = _Files(confinement.write, confinement.file_bytes)
        self._selector = selectors.DefaultSelector()
        for stream, kept in ((process.stdout, self._told), (process.stderr, self._tail)):
            os.set_blocking(_open(stream).fileno(), False)
            self._selector.register(_open(stream), selectors.EVENT_READ, kept)

    def watch(self, request: bytes, beat: Callable[[], None] | None) -> Outcome:
        """Hand the request in and watch until the end.

        Args:
            request: One line of JSON for ``mibench.sandbox.inside``.
            beat: Called about once a second.

        Raises:
            SandboxError: The back-end ended before the command was started.
        """
        with contextlib.suppress(BrokenPipeError):
            _open(self._process.stdin).write(request)
        broken: tuple[Status, str] | None = None
        next_look, next_beat = 0.0, 0.0
        while broken is None and not self._ended():
            self._read(_POLL)
            now = time.monotonic()
            if now >= next_look:
                broken, next_look = self._breach(), now + _POLL
            if beat is not None and now >= next_beat:
                beat()
                next_beat = now + _BEAT
        # What the back-end says when its child is killed is not the command's.
        said = bytes(self._tail)
        self._stop()
        self._read(0.0)
        return self._outcome(broken, bytes(self._tail) if broken is None else said)

    def close(self) -> None:
        """End what still runs and close the streams."""
        self._stop()
        self._selector.close()
        for stream in (self._process.stdout, self._process.stderr):
            _open(stream).close()

    def _ended(self) -> bool:
        return b"exit " in self._told or self._process.poll() is not None

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            kept = key.data
            with contextlib.suppress(BlockingIOError):
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    self._selector.unregister(key.fileobj)
                kept += piece
                del kept[:-_PIECE]
        if not self._ready and b"ready\n" in self._told:
            self._ready, self._started = True, time.monotonic()

    def _breach(self) -> tuple[Status, str] | None:
        passed = time.monotonic() - self._started
        if passed > (self._limits.seconds if self._ready else _START):
            return "timeout", f"more than {self._limits.seconds:g} s"
        tree = tree_of(self._process.pid)
        # The first process of the namespace is ours.
        if sum(process.threads for process in tree) - 1 > self._limits.processes:
            return "failed", f"more than {self._limits.processes} processes and threads"
        if not self._ready:
            return None
        memory = memory_of(tree, self._limits.memory_bytes)
        self._peak = max(self._peak, memory)
        if memory > self._limits.memory_bytes:
            return "memory", f"more than {self._limits.memory_bytes} bytes of memory"
        return ("files", self._files.too_much) if self._files.look(tree) else None

    def _stop(self) -> None:
        # The first process ends itself when this pipe does; it may be too young to be found.
        with contextlib.suppress(OSError):
            _open(self._process.stdin).close()
        until = time.monotonic() + _END
        while self._process.poll() is None:
            # Read on: what the program says about its end must not have to wait for room.
            self._read(_PAUSE)
            kill_tree(self._process.pid)
            if time.monotonic() > until:
                self._process.kill()

    def _outcome(self, broken: tuple[Status, str] | None, said: bytes) -> Outcome:
        tail = printable(said, _TAIL)
        if not self._ready:
            raise SandboxError(
                f"The sandbox {self._backend} does not start.",
                why=tail.strip() or f"It ended with status {self._process.returncode} and said nothing.",
                do="Choose another sandbox.",
            )
        if broken is None and self._files.look([], at_once=True):
            broken = "files", self._files.too_much
        seconds = time.monotonic() - self._started
        if broken is not None:
            tail = f"{printable(said, _TAIL - _REASON)}\nEnded: {broken[1]}."
            return Outcome(broken[0], None, seconds, self._peak, tail)
        code = self._exit_code()
        return Outcome("done" if code == 0 else "failed", code, seconds, self._peak, tail)

    def _exit_code(self) -> int | None:
        said = self._told.rpartition(b"exit ")[2].split(b"\n")[0]
        return int(said) if b"exit " in self._told and said else None


class _Files:
    """Keeps count of what is written below a folder."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit, self._next = folder, limit, 0.0
        self.too_much = f"{limit} bytes of files or more"
        self._device = folder.stat().st_dev
        self._before = 0
        with contextlib.suppress(TooMuchError):
            self._before = bytes_below(folder)

    def look(self, tree: list[Process], *, at_once: bool = False) -> bool:
        """Whether the limit is reached; counts only now and then unless ``at_once``."""
        started = time.monotonic()
        if started < self._next and not at_once:
            return False
        try:
            unlinked = unlinked_bytes(tree, self._device)
            return bytes_below(self._folder) + unlinked - self._before >= self._limit
        except TooMuchError:
            return True
        finally:
            ended = time.monotonic()
            self._next = ended + max(_LEAST_PAUSE, (ended - started) / _SHARE)


def printable(content: bytes | bytearray, limit: int) -> str:
    """Return the end of ``content`` as text that does nothing to a terminal.

    Args:
        content: Bytes of anybody.
        limit: Most bytes of the text.
    """
    text = content.decode("utf-8", errors="replace")
    kept = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    return kept.encode()[-limit:].decode("utf-8", errors="ignore")


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("A stream of the back-end's process is not piped.")
    return stream
