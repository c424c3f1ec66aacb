"""Which process on which machine: how a dead one is known, and how one ends with the process that started it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

_OF_MACHINE = ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid")
_PR_SET_PDEATHSIG = 1


@cache
def machine() -> str:
    """Digest of what tells this machine since its last start, or this container, from all others; 8 characters.

    Machines may share a name, and the numbers of processes begin anew.
    """
    parts = []
    for place in map(Path, _OF_MACHINE):
        with suppress(OSError):
            parts.append(str(place.readlink()) if place.is_symlink() else place.read_text(encoding="ascii"))
    parts = [socket.gethostname(), *(parts or [str(psutil.boot_time())])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def has_ended(pid: int) -> bool:
    """Whether no process of this machine has a number, or one that has ended; where it cannot be told, it has not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OverflowError):
        return False


def born(pid: int) -> str | None:
    """When a process began, in ticks since the machine did, which setting a clock does not change; None: it ended."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    return None


def end_with_parent(parent: int, sign: signal.Signals) -> bool:
    """Have this process sent a signal at the death of its parent, where the system knows that.

    Args:
        parent: Process that started this one.
        sign: The signal.

    Returns:
        Whether the parent is still there; it may have died before.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(sign))
    return os.getppid() == parent
