"""Back-end ``unshare``: the program of util-linux makes the namespaces, ``inside`` builds the file system.

Nothing has to be installed. A Linux of 5.12 or newer that lets the user make user namespaces is needed, and a
/proc of which no part is covered (containers often cover some).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from mibench.sandbox.confine import Confinement
from mibench.sandbox.view import View

_NAMESPACES = ("--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup")


@dataclass(frozen=True)
class Unshare:
    """Namespaces by unshare(1), the rest by this package.

    Attributes:
        name: Name on the command line.
        builds_root: ``inside`` builds the file system.
        own_system: The libraries are this machine's.
    """

    name: str = "unshare"
    builds_root: bool = True
    own_system: bool = False

    def absent(self) -> str | None:
        """Why it cannot be here at all, or nothing."""
        return None if shutil.which("unshare") else "The program unshare (util-linux) is not installed."

    def command_line(self, view: View, confinement: Confinement, first: tuple[str, ...]) -> list[str]:  # noqa: ARG002
        """Return the command that runs ``first`` as the first process of the new namespaces.

        Args:
            view: What is seen of the file system; ``inside`` sees to it.
            confinement: Limits of the run.
            first: Command line of ``mibench.sandbox.inside``.
        """
        setpriv = shutil.which("setpriv")
        # A process that the caller forked meanwhile may hold the caller's end of the pipe; this does not mind.
        tied = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        return [*tied, shutil.which("unshare") or "unshare", *_NAMESPACES, "--fork", "--kill-child", "--", *first]
