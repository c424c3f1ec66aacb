"""Whether the driver of a run is still there, or a worker: who is on its machine sees when it is gone."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from pathlib import Path

from mibench.core.files import atomic_write

_FILE = "driver"


def sign(folder: Path) -> None:
    """Note in a folder that this process drives what is ordered there, or does it.

    Raises:
        StoreError: It cannot be written.
    """
    atomic_write(folder / _FILE, json.dumps(_identity(os.getpid())))


def is_gone(folder: Path) -> bool:
    """Whether the process that signed a folder has ended; of another machine's nothing is known."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads((folder / _FILE).read_bytes())
        here = _identity(known["pid"])
        return bool(known["where"] == here["where"] and known["born"] != here["born"])
    return False


def _identity(pid: int) -> dict[str, object]:
    return {"pid": pid, "where": [platform.node(), _boot(), _namespace()], "born": _born(pid)}


def _boot() -> str:
    """Which start of which machine it is: machines may share a name, and process numbers begin anew."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def _born(pid: int) -> str | None:
    """When a process began, in ticks since the machine did, which setting a clock does not change; None: it ended."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    return None
