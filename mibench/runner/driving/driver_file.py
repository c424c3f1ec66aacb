"""Whether the driver of a run is still there, or a worker: who is on its machine sees when it is gone."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from mibench.core.files import atomic_write
from mibench.core.processes import born, machine

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
    return {"pid": pid, "where": machine(), "born": born(pid)}
