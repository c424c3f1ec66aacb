"""What a confined command may see, write and use."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mibench.core.errors import SandboxError
from mibench.sandbox.view import View

# The private folder that stands for a home folder and for temporary files.
SCRATCH = "/tmp"  # noqa: S108  the confined process's own, on a file system of its own

_FIXED = {
    "HOME": SCRATCH,
    "TMPDIR": SCRATCH,
    "LANG": "C.UTF-8",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
}
# Folders that are never seen as they are.
_WHOLE = {"/", "/proc", "/sys", "/dev", "/etc", "/home", "/root", "/run", "/tmp", "/var"}  # noqa: S108
_INHERITED = ("OMP_NUM_THREADS",)


@dataclass(frozen=True)
class Confinement:
    """Limits of one confined run.

    ``read`` folders should hold files only: a socket or named pipe in one is a way out that read-only does not
    shut. A symlink in one that leads outside leads nowhere.

    Attributes:
        read: Files and folders that are seen read-only, at their own paths.
        write: The one folder that can be written, at its own path; the command starts in it.
        seconds: Wall-clock limit.
        memory_bytes: Limit on the memory of the whole process tree together, private temporary files included.
        file_bytes: Limit on any one file, and on what is written below ``write`` in all.
        processes: Limit on processes and threads together.
        environment: Variables that are set besides the standard ones.
    """

    read: tuple[Path, ...]
    write: Path
    seconds: float
    memory_bytes: int
    file_bytes: int
    processes: int = 256
    environment: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Check that the limits are numbers above zero and the paths are there.

        Raises:
            SandboxError: Something cannot be confined like this.
        """
        limits = {
            "seconds": self.seconds,
            "memory_bytes": self.memory_bytes,
            "file_bytes": self.file_bytes,
            "processes": self.processes,
        }
        for limit, number in limits.items():
            if not (math.isfinite(number) and number > 0):
                raise _refused(f"{limit} is {number}.", "Give a finite number above zero.")
        if not self.write.is_dir():
            raise _refused(f"{self.write} is not a folder.", "Make the folder first.")
        for path in self.read:
            if not path.exists():
                raise _refused(f"{path} does not exist.", "Name files and folders that are there.")
        for path in (self.write, *self.read):
            if str(path.resolve()) in {*_WHOLE, os.path.expanduser("~")}:  # noqa: PTH111  Path.home raises where there is none
                raise _refused(f"{path} holds what a confined run must not see.", "Name the folder that is meant.")
        for name, value in self.environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise _refused(f"{name[:40]!r} cannot be an environment variable.", "Choose another name or value.")

    @property
    def variables(self) -> dict[str, str]:
        """The whole environment of the command: nothing else is inherited."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        path = os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/bin", "/bin"])
        return {"PATH": path, **_FIXED, **inherited, **self.environment}


class Backend(Protocol):
    """A program that gives a process namespaces of its own."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    def absent(self) -> str | None:
        """Why it cannot be here at all, or nothing."""

    def command_line(self, view: View, confinement: Confinement, first: tuple[str, ...]) -> list[str]:
        """Return the command that runs ``first`` as the first process of the new namespaces.

        Args:
            view: What is seen of the file system.
            confinement: Limits of the run.
            first: Command line of ``mibench.sandbox.inside``.
        """

    @property
    def own_system(self) -> bool:
        """Whether it brings system libraries of its own (an image)."""

    @property
    def builds_root(self) -> bool:
        """Whether ``inside`` has to build the file system because the program does not."""


def _refused(why: str, do: str) -> SandboxError:
    return SandboxError("The run cannot be confined.", why=why, do=do)
