from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mibench.core.leash import leashed
from mibench.core.processes import has_ended

_PARENT = """
import subprocess, sys
from mibench.core.leash import leashed
command = leashed([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])
subprocess.run(command, check=False)
"""


def test_a_command_is_run_as_it_is_and_its_status_is_its_own():
    code = "import sys; print(sys.argv[1:]); sys.exit(7)"
    command = leashed([sys.executable, "-c", code, "a b", "-m"])
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (7, "['a b', '-m']\n")


def test_a_command_is_found_where_a_shell_would_find_it():
    assert subprocess.run(leashed(["true"]), check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_no_signal_is_ignored_that_the_command_would_not_ignore_by_itself():
    wanted, found = (
        subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for words in (["grep", "SigIgn", "/proc/self/status"], leashed(["grep", "SigIgn", "/proc/self/status"]))
    )
    assert found == wanted


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no leash")
def test_a_file_that_no_system_can_run_is_told_in_a_line(tmp_path):
    script = tmp_path / "script"
    script.write_text("echo\n")
    script.chmod(0o755)
    ran = subprocess.run(leashed([str(script)]), capture_output=True, text=True, check=False)
    assert ran.returncode == 126
    assert ran.stderr == f"{script} cannot be started: Exec format error\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of the death of its parent")
def test_a_command_stops_when_the_process_that_started_it_is_killed():
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not has_ended(pid)
        parent.kill()
        deadline = time.monotonic() + 10
        while not has_ended(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert has_ended(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no leash")
def test_a_command_of_a_process_that_is_gone_is_not_begun():
    *begin, _, command = leashed(["true"])
    assert subprocess.run([*begin, str(os.getpid() + 1), command], check=False).returncode == 1
