"""Names of workers: they say which process on which machine it is, so that a dead one is known at once."""

from __future__ import annotations

import os
import re
import secrets
import socket

from mibench.core.processes import has_ended, machine

_NAME = re.compile(r"[A-Za-z0-9.-]{1,40}-(?P<machine>[0-9a-f]{8})-(?P<pid>[0-9]{1,10})-[0-9a-f]{8}")


def worker_name() -> str:
    """Return a name for this process; no two calls anywhere give the same."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", socket.gethostname())[:40] or "host"
    return f"{host}-{machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_gone(name: str) -> bool:
    """Whether a worker ran on this machine and does not any more; of other machines nothing is known."""
    found = _NAME.fullmatch(name)
    if found is None or found["machine"] != machine():
        return False
    return has_ended(int(found["pid"]))
