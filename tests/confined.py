"""Small programs run confined, and what is left of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibench.sandbox.confine import Backend, Confinement
from mibench.sandbox.run import run_confined
from mibench.sandbox.view import interpreter
from mibench.sandbox.watchdog import Outcome

MIB = 1024 * 1024
_PREAMBLE = """
import ctypes, json, os, socket, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
given = json.loads(sys.argv[1])
answer = {}
def works(action):
    try:
        return action() is not False
    except OSError:
        return False
def call(*arguments):
    return libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]) != -1
"""
_END = """
with open("answer.json", "w") as file:
    json.dump(answer, file)
"""


@dataclass
class Confined:
    """Runs programs in a folder of their own.

    Attributes:
        backend: Which sandbox.
        write: The folder that the programs can write.
        room: A folder beside it that they cannot see.
    """

    backend: Backend
    write: Path
    room: Path

    def run(self, program: str, given: Any = None, *, read: tuple[Path, ...] = (), **limits: Any) -> Outcome:
        """Run python code; ``given`` is what it finds under that name."""
        kept = {"seconds": 20.0, "memory_bytes": 300 * MIB, "file_bytes": 20 * MIB, **limits}
        command = [interpreter(), "-I", "-S", "-c", _PREAMBLE + program + _END, json.dumps(given)]
        return run_confined(command, Confinement(read, self.write, **kept), self.backend)

    def ask(self, program: str, given: Any = None, **limits: Any) -> dict[str, Any]:
        """Run python code that must end well and return its ``answer``."""
        outcome = self.run(program, given, **limits)
        assert outcome.status == "done", outcome
        return json.loads((self.write / "answer.json").read_text())


def running(word: str) -> list[int]:
    """Processes of this machine whose command line holds ``word``, this one left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                if word.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether ``condition`` comes true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
