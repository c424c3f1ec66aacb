"""Runs a command confined, watches it, and says how it ended."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mibench
from mibench.core.errors import SandboxError
from mibench.sandbox.confine import SCRATCH, Backend, Confinement
from mibench.sandbox.filter import filter_program
from mibench.sandbox.inside import starter
from mibench.sandbox.root import Root
from mibench.sandbox.view import View, interpreter, view_of
from mibench.sandbox.watchdog import Outcome, Watchdog

__all__ = ["Outcome", "run_confined"]

_BARE = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
# Kernels since then count processes in each user namespace; before, the limit counts all that the user runs.
_COUNTS_IN_NAMESPACE = (5, 14)
# So far beyond the limit the kernel stops what the watchdog has not ended yet.
_ROOM = 16


def run_confined(
    command: Sequence[str], confinement: Confinement, backend: Backend, beat: Callable[[], None] | None = None
) -> Outcome:
    """Run ``command`` with no network and nothing but what ``confinement`` gives it.

    When this process ends, however it ends, the command and all it started end too. What the command leaves in
    the folder it can write is untrusted: it may hold symlinks, pipes and files that are not what their names say.

    Args:
        command: Program and arguments; the program is looked for in the confined ``PATH``.
        confinement: What it may see, write and use.
        backend: From :func:`mibench.sandbox.backends.find_backend`.
        beat: Called about once a second while it runs; what it raises ends the run.

    Raises:
        SandboxError: The confinement is not usable, or the back-end does not start.
    """
    confinement.check()
    view = view_of(confinement.read, confinement.write, system=not backend.own_system)
    request = json.dumps(_request(command, confinement, backend, view)) + "\n"
    watchdog = Watchdog(_launch(confinement, backend, view), confinement, backend.name)
    try:
        return watchdog.watch(request.encode(), beat)
    finally:
        watchdog.close()


def _launch(confinement: Confinement, backend: Backend, view: View) -> subprocess.Popen[bytes]:
    package_root = str(Path(mibench.__file__).resolve().parent.parent)
    first = (interpreter(), "-I", "-S", "-B", "-c", starter(package_root))
    line = backend.command_line(view, confinement, first)
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            line, env=_BARE, start_new_session=True, cwd="/", bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        raise SandboxError(f"{backend.name} does not start.", why=f"{error}.", do="Choose another sandbox.") from error


def _request(command: Sequence[str], confinement: Confinement, backend: Backend, view: View) -> dict[str, Any]:
    root = Root(
        read=tuple(map(str, view.read)),
        write=str(view.write),
        links=tuple((str(path), str(target)) for path, target in view.links),
        scratch=SCRATCH,
        scratch_bytes=confinement.memory_bytes,
    )
    release = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdecimal())
    counted = os.getuid() != 0 and release >= _COUNTS_IN_NAMESPACE
    return {
        "root": asdict(root) if backend.builds_root else None,
        "limits": {"file_bytes": confinement.file_bytes, "processes": confinement.processes + _ROOM if counted else 0},
        "filter": filter_program(os.uname().machine).hex(),
        "folder": str(view.write),
        "command": list(command),
        "environment": confinement.variables,
    }
