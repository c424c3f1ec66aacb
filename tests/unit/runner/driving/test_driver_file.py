from __future__ import annotations

import subprocess
import sys

from mibench.runner.driving import driver_file
from mibench.runner.driving.driver_file import is_gone, sign


def test_a_process_that_has_ended_is_gone_and_this_one_is_not(tmp_path):
    sign(tmp_path)
    assert not is_gone(tmp_path)
    code = "import sys, pathlib; from mibench.runner.driving.driver_file import sign; sign(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert is_gone(tmp_path)


def test_of_another_machine_of_the_same_name_nothing_is_known(tmp_path, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(driver_file, "machine", lambda: "another")
        elsewhere.setattr(driver_file, "born", lambda pid: "1")
        sign(tmp_path)
    assert not is_gone(tmp_path)
    assert not is_gone(tmp_path / "nowhere")
