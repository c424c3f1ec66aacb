"""Back-end ``bubblewrap``: the program ``bwrap`` makes the namespaces and the file system."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from mibench.sandbox.confine import SCRATCH, Confinement
from mibench.sandbox.view import View

_FIXED = (
    *("--unshare-user", "--unshare-all", "--disable-userns", "--cap-drop", "ALL"),
    *("--die-with-parent", "--new-session", "--as-pid-1", "--clearenv", "--hostname", "sandbox"),
)


@dataclass(frozen=True)
class Bubblewrap:
    """Namespaces and file system by bwrap 0.8 or newer.

    Attributes:
        name: Name on the command line.
        builds_root: bwrap builds the file system.
        own_system: The libraries are this machine's.
    """

    name: str = "bubblewrap"
    builds_root: bool = False
    own_system: bool = False

    def absent(self) -> str | None:
        """Why it cannot be here at all, or nothing."""
        return None if shutil.which("bwrap") else "The program bwrap is not installed."

    def command_line(self, view: View, confinement: Confinement, first: tuple[str, ...]) -> list[str]:
        """Return the command that runs ``first`` as the first process of the new namespaces.

        Args:
            view: What is seen of the file system.
            confinement: Limits of the run.
            first: Command line of ``mibench.sandbox.inside``.
        """
        size = ("--size", str(confinement.memory_bytes), "--perms", "1777", "--tmpfs")
        line = [shutil.which("bwrap") or "bwrap", *_FIXED, "--proc", "/proc", "--remount-ro", "/proc"]
        line += ["--dev", "/dev", *size, "/dev/shm"]  # noqa: S108
        line += ["--remount-ro", "/dev", *size, SCRATCH]
        for path in sorted([*view.read, view.write]):
            line += ["--bind" if path == view.write else "--ro-bind", str(path), str(path)]
        for path, target in view.links:
            line += ["--symlink", str(target), str(path)]
        return [*line, "--remount-ro", "/", "--chdir", "/", "--", *first]
