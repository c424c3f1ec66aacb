"""When the caller dies without a word, so does all that it confined."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from confined import Confined, running, within

import mibench

_DRIVER = """
import os, sys, time
from pathlib import Path
from mibench.sandbox.backends import BACKENDS
from mibench.sandbox.confine import Confinement
from mibench.sandbox.run import run_confined
from mibench.sandbox.view import interpreter
program = f"import os, time; os.fork(); open('started', 'w').close(); time.sleep(60)  # {sys.argv[3]}"
confinement = Confinement((), Path(sys.argv[2]), 60.0, 10**9, 10**7)
forked = Path(sys.argv[2]) / "forked"
def beat():
    # A child of the caller's that has copies of all its streams and lives on.
    if sys.argv[4] == "fork" and not forked.exists():
        child = os.fork()
        if child == 0:
            time.sleep(8)
            os._exit(0)
        forked.write_text(str(child))
run_confined([interpreter(), "-I", "-S", "-c", program], confinement, BACKENDS[sys.argv[1]], beat)
"""


@pytest.mark.parametrize("meanwhile", ["nothing", "fork"])
def test_killing_the_caller_ends_the_run(confined: Confined, meanwhile: str) -> None:
    word, source = uuid.uuid4().hex, str(Path(mibench.__file__).parent.parent)
    command = [sys.executable, "-c", _DRIVER, confined.backend.name, str(confined.write), word, meanwhile]
    ready = [confined.write / "started", *([confined.write / "forked"] if meanwhile == "fork" else [])]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": source}) as driver:
        try:
            assert within(10, lambda: all(path.exists() for path in ready))
            assert len(_inside(word)) >= 2
        finally:
            driver.send_signal(signal.SIGKILL)
    assert within(2, lambda: _inside(word) == [])


def _inside(word: str) -> list[int]:
    """Confined processes: those that have another process namespace than this one."""
    ours = Path("/proc/self/ns/pid").readlink()
    return [pid for pid in running(word) if _namespace(pid) not in (None, ours)]


def _namespace(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink()
    except OSError:
        return None
