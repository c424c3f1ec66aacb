"""When the caller dies without a word, so does all that it confined."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import mibench
from confined import Confined, running, within

_DRIVER = """
import sys
from pathlib import Path
from mibench.sandbox.backends import BACKENDS
from mibench.sandbox.confine import Confinement
from mibench.sandbox.run import run_confined
from mibench.sandbox.view import interpreter
program = f"import os, time; os.fork(); open('started', 'w').close(); time.sleep(60)  # {sys.argv[3]}"
confinement = Confinement((), Path(sys.argv[2]), 60.0, 10**9, 10**7)
run_confined([interpreter(), "-I", "-S", "-c", program], confinement, BACKENDS[sys.argv[1]])
"""


def test_killing_the_caller_ends_the_run(confined: Confined) -> None:
    word = uuid.uuid4().hex
    command = [sys.executable, "-c", _DRIVER, confined.backend.name, str(confined.write), word]
    source = str(Path(mibench.__file__).parent.parent)
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": source}) as driver:
        try:
            assert within(10, lambda: (confined.write / "started").exists())
            assert len(running(word)) >= 3
        finally:
            driver.send_signal(signal.SIGKILL)
    assert within(2, lambda: running(word) == [])
