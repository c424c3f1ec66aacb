"""Finds a sandbox that holds on this machine; there is none that is open."""

from __future__ import annotations

import functools

from mibench.core.errors import SandboxError
from mibench.sandbox.apptainer import Apptainer
from mibench.sandbox.bubblewrap import Bubblewrap
from mibench.sandbox.confine import Backend
from mibench.sandbox.probe import fault_of
from mibench.sandbox.unshare import Unshare

__all__ = ["AUTO", "BACKENDS", "Backend", "find_backend"]

AUTO = "auto"
BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (Bubblewrap(), Apptainer(), Unshare())}
"""In the order in which they are tried."""


@functools.cache
def _fault(name: str) -> str | None:
    return fault_of(BACKENDS[name])


def find_backend(name: str = AUTO) -> Backend:
    """Return a back-end that was tried on this machine and holds; it is tried once a process.

    Args:
        name: ``bubblewrap``, ``apptainer``, ``unshare``, or ``auto`` for the first of them that holds.

    Raises:
        SandboxError: There is none of that name, or none holds; says what was tried and what was wrong.
    """
    wanted = [known for known in BACKENDS if name in (AUTO, known)]
    if not wanted:
        known = ", ".join((AUTO, *BACKENDS))
        raise SandboxError(f"There is no sandbox {name[:40]!r}.", why=f"Known: {known}.", do="Name one of these.")
    for one in wanted:
        if _fault(one) is None:
            return BACKENDS[one]
    raise SandboxError(
        "Submissions cannot be run safely on this machine.",
        why="; ".join(f"{one}: {_fault(one)}" for one in wanted),
        do="Install bubblewrap and allow user namespaces, or evaluate on another machine; nothing is run unconfined.",
    )
