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

_NOT_BEGUN = 126
"""Exit status where a command cannot be started, as of a shell."""


def leashed(command: Sequence[str]) -> list[str]:
    """Return what starts a command so that it is told to stop when this process dies, where the system knows that.

    What the command starts in turn is told nothing: a script that is a wrapper should ``exec`` its program.
    """
    if sys.platform != "linux":
        return list(command)
    alone = ["-s"] if sys.flags.no_user_site else []
    return [sys.executable, "-P", *alone, "-m", "mibench.core.leash", str(os.getpid()), *command]


def main(words: Sequence[str]) -> NoReturn:
    """Ask for SIGTERM at the parent's death, and become the command."""
    parent, command = int(words[0]), list(words[1:])
    if not end_with_parent(parent, signal.SIGTERM):
        sys.exit(1)
    # Python ignores these from its start, and what is ignored stays so: a pipe that nobody reads would never end.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  without a shell
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.exit(_NOT_BEGUN)


if __name__ == "__main__":
    main(sys.argv[1:])
