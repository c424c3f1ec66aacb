"""Looks at a process tree from outside, through /proc: how many, how much memory."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mibench.sandbox.written import TooMuchError

_PROC = Path("/proc")
# Memory that only a swap device or a kill gives back. Pages of files that are mapped to be read are the page
# cache's, are dropped at need, and would count once for each process.
_OWN = ("RssAnon:", "RssShmem:", "VmSwap:")
_OWN_SHARED_OUT = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")
_SCRATCH = ("tmp", "dev/shm")
_KIB = 1024
_MOST_OPEN_FILES = 20_000


@dataclass(frozen=True)
class Process:
    """One process of the tree.

    Attributes:
        pid: Its number outside.
        threads: Its threads.
    """

    pid: int
    threads: int


def tree_of(root: int) -> list[Process]:
    """Return the live processes below ``root``, itself left out, parents first.

    What lost its parent belongs to the first process of its namespace, so it is still found.
    """
    children: dict[int, list[Process]] = {}
    for process, parent in _processes():
        children.setdefault(parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        below = children.pop(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def _processes() -> Iterator[tuple[Process, int]]:
    for name in os.listdir(_PROC):  # noqa: PTH208  a long list, often
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name of the program, which it chooses itself, is between the outermost brackets.
                fields = (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()
                if fields[0] not in (b"Z", b"X"):
                    yield Process(int(name), int(fields[17])), int(fields[1])


def memory_of(tree: list[Process], limit: int) -> int:
    """Return the bytes of memory that a tree holds, the files in its private folders included.

    Shared pages count once for each process; only when that is more than ``limit`` are they divided exactly,
    which takes longer.
    """
    files = _scratch_bytes(tree)
    rough = files + sum(_size(process.pid, "status", _OWN) for process in tree)
    if rough <= limit:
        return rough
    exact = [_size(process.pid, "smaps_rollup", _OWN_SHARED_OUT) for process in tree]
    # A process whose division cannot be read counts in full.
    return files + sum(
        part if part else _size(process.pid, "status", _OWN) for part, process in zip(exact, tree, strict=True)
    )


def _size(pid: int, file: str, names: tuple[str, ...]) -> int:
    try:
        lines = (_PROC / str(pid) / file).read_text(encoding="ascii", errors="replace").splitlines()
        return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith(names))
    except (OSError, ValueError, IndexError):
        return 0


def _scratch_bytes(tree: list[Process]) -> int:
    ours = _PROC.stat().st_dev
    for process in tree:
        root = _PROC / str(process.pid) / "root"
        with contextlib.suppress(OSError):
            # A process that has not moved into the confined root yet sees this machine's /proc.
            if (root / "proc").stat().st_dev != ours:
                held = [os.statvfs(root / name) for name in _SCRATCH]
                return sum((part.f_blocks - part.f_bfree) * part.f_frsize for part in held)
    return 0


def unlinked_bytes(tree: list[Process], device: int) -> int:
    """Return the bytes of files on ``device`` that a tree holds open and that have no name any more.

    Args:
        tree: From :func:`tree_of`.
        device: Number of the file system, as ``os.stat`` gives it.

    Raises:
        TooMuchError: More files are open than can be looked at.
    """
    found: dict[int, int] = {}
    left = _MOST_OPEN_FILES
    for process in tree:
        folder = _PROC / str(process.pid) / "fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208  a long list, often
                left -= 1
                with contextlib.suppress(OSError):
                    file = os.stat(folder / name)  # noqa: PTH116
                    if file.st_nlink == 0 and file.st_dev == device:
                        found[file.st_ino] = max(file.st_size, file.st_blocks * 512)
        if left < 0:
            raise TooMuchError
    return sum(found.values())


def kill_tree(root: int) -> None:
    """Kill everything below ``root``, the first process of the namespace first, with which all others go."""
    for process in tree_of(root):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
