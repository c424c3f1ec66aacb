"""Back-end ``apptainer``, for clusters where nothing else is allowed.

It was written from the documented options and has not been run by its authors: no machine of theirs has
apptainer. As any back-end it is used only where its probe shows that it holds.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from mibench.sandbox.confine import SCRATCH, Confinement
from mibench.sandbox.view import View

IMAGE_VARIABLE = "MIBENCH_APPTAINER_IMAGE"
"""Names the image: one with the C library that this machine's python was built for."""
_FIXED = ("--containall", "--cleanenv", "--no-home", "--no-eval", "--no-privs", "--net", "--network", "none")


@dataclass(frozen=True)
class Apptainer:
    """Namespaces and file system by apptainer 1.1 or newer; the system's libraries are the image's.

    Attributes:
        name: Name on the command line.
        builds_root: Apptainer builds the file system.
        own_system: The libraries are the image's.
    """

    name: str = "apptainer"
    builds_root: bool = False
    own_system: bool = True

    def absent(self) -> str | None:
        """Why it cannot be here at all, or nothing."""
        if not shutil.which("apptainer"):
            return "The program apptainer is not installed."
        image = os.environ.get(IMAGE_VARIABLE)
        if not image:
            return f"The environment variable {IMAGE_VARIABLE} does not name an image."
        return None if Path(image).exists() else f"The image {image} of {IMAGE_VARIABLE} is not there."

    def command_line(self, view: View, confinement: Confinement, first: tuple[str, ...]) -> list[str]:  # noqa: ARG002
        """Return the command that runs ``first`` as the first process of the new namespaces.

        A path with a colon or comma cannot be bound by apptainer; the probe or the run then fails.

        Args:
            view: What is seen of the file system.
            confinement: Limits of the run.
            first: Command line of ``mibench.sandbox.inside``.
        """
        line = [shutil.which("apptainer") or "apptainer", "exec", *_FIXED, "--pwd", SCRATCH]
        places = sorted([*((path, path) for path in (*view.read, view.write)), *view.links])
        for path, real in places:
            line += ["--bind", f"{real}:{path}:{'rw' if real == view.write else 'ro'}"]
        return [*line, os.environ.get(IMAGE_VARIABLE, ""), *first]
