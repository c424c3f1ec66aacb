"""Become another program that is told to stop when the process that started it dies, however it dies.

``python -m mibench.core.leash PARENT COMMAND…``
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from mibench.core.processes import end_with_parent


def leashed(command: Sequence[str]) -> list[str]:
    """Return what starts a command so that it is told to stop when this process dies."""
    return [sys.executable, "-P", "-m", "mibench.core.leash", str(os.getpid()), *command]


def main(words: Sequence[str]) -> NoReturn:
    """Ask for SIGTERM at the parent's death, where the system knows that, and become the command."""
    parent, command = int(words[0]), list(words[1:])
    if not end_with_parent(parent, signal.SIGTERM):
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  without a shell


if __name__ == "__main__":
    main(sys.argv[1:])
