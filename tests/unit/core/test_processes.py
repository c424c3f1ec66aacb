from __future__ import annotations

import subprocess
import sys
import time

import pytest

from mibench.core.processes import born, machine

_CHILD = """
import os, signal, sys, time
from mibench.core.processes import end_with_parent
print(os.getpid(), end_with_parent(os.getppid(), signal.SIGKILL), flush=True)
time.sleep(60)
"""


def test_a_machine_has_one_name():
    assert machine() == machine()
    assert len(machine()) == 8


def test_a_process_was_born_once_and_has_no_birth_when_it_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        first = born(child.pid)
        assert first is not None
        assert first == born(child.pid)
        child.kill()
        deadline = time.monotonic() + 10
        while born(child.pid) is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert born(child.pid) is None  # though nobody has buried it
    assert born(child.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of the death of its parent")
def test_a_process_ends_with_the_one_that_started_it():
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_CHILD!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, there = parent.stdout.readline().split()
        assert there == "True"
        parent.kill()
        deadline = time.monotonic() + 10
        while born(int(pid)) is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert born(int(pid)) is None


def test_a_parent_that_is_gone_is_told():
    code = "import os, signal; from mibench.core.processes import end_with_parent as end; "
    code += "print(end(os.getppid(), signal.SIGTERM), end(os.getpid(), signal.SIGTERM))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False"]
