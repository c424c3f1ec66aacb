"""The first process of a confined run: limits itself, starts the command, waits, and dies with whoever asked for it.

It is started as ``python -I -S -c STARTER`` by a back-end, inside new namespaces. Standard input brings one line
of JSON and then stays open: when it ends, the run is no longer wanted. Standard output takes ``ready`` once
everything is shut and ``exit STATUS`` at the end; the command reaches neither of the two.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
from typing import Any

from mibench.sandbox.kernel import drop_privileges, hide_from_children, install_filter, set_host_name
from mibench.sandbox.root import Root, build_root, write_switch

_MAX_REQUEST = 4 * 1024 * 1024
_OPEN_FILES = 4096
_NOT_STARTED = 127


def main() -> None:
    """Serve the one request of standard input; the process ends here."""
    try:
        request = json.loads(_first_line())
        # The first to go when the machine runs out of memory; another back-end's /proc may be read-only.
        with contextlib.suppress(OSError):
            write_switch("/proc/self/oom_score_adj", b"1000")
        if request["root"] is not None:
            set_host_name("sandbox")
            build_root(Root.of(request["root"]))
        _limit(request["limits"])
        drop_privileges()
        hide_from_children()
        if request["filter"]:
            install_filter(bytes.fromhex(request["filter"]))
        wake = _listen()
        os.write(1, b"ready\n")
        status = _wait(_start(request), wake)
    except (OSError, ValueError, KeyError) as error:
        os.write(2, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    os.write(1, f"exit {status}\n".encode())
    os._exit(0)


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 1 if len(line) > _MAX_REQUEST else 65536)
        if not piece or len(line) > _MAX_REQUEST:
            raise ValueError("The request ended before it was whole.")
        line += piece
    return bytes(line)


def _limit(limits: dict[str, int]) -> None:
    wanted = {
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    if limits["processes"]:
        wanted[resource.RLIMIT_NPROC] = limits["processes"]
    for kind, value in wanted.items():
        most = resource.getrlimit(kind)[1]
        small = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (small, small))


def _listen() -> int:
    wake, told = os.pipe()
    os.set_blocking(told, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    return wake


def _start(request: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        os.closerange(3, _OPEN_FILES)
        os.chdir(request["folder"])
        command = request["command"]
        os.execvpe(command[0], command, request["environment"])  # noqa: S606
    except OSError as error:
        os.write(2, f"{request['command'][0]}: {error}\n".encode())
    finally:
        os._exit(_NOT_STARTED)


def _wait(child: int, wake: int) -> int:
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if 0 in ready:
            os._exit(1)
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        status = _reap(child)
        if status is not None:
            return status


def _reap(child: int) -> int | None:
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                found = os.waitstatus_to_exitcode(ended[1])
    return found


def starter(package_root: str) -> str:
    """Return the python program that runs :func:`main` with nothing but the standard library and this package."""
    return f"import sys; sys.path.insert(0, {package_root!r}); from mibench.sandbox.inside import main; main()"
