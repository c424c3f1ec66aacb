from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from mibench.core.errors import StoreError
from mibench.runner.driving.claims import CLAIMS, claim, held

HOLDER = """
import sys, time
from pathlib import Path
from mibench.runner.driving.claims import claim
with claim(Path(sys.argv[1]), "a" * 32) as is_held:
    print(is_held, flush=True)
    time.sleep(60)
"""


def test_one_holds_a_cell_at_a_time_and_another_cell_is_free(tmp_path):
    with claim(tmp_path, "a" * 32) as first, claim(tmp_path, "a" * 32) as second, claim(tmp_path, "b" * 32) as other:
        assert (first, second, other) == (True, False, True)
    with claim(tmp_path, "a" * 32) as again:
        assert again


def test_nothing_is_left_of_a_claim(tmp_path):
    with claim(tmp_path, "a" * 32), claim(tmp_path, "a" * 32):
        pass
    assert list((tmp_path / CLAIMS).iterdir()) == []


def test_who_waited_for_a_cell_holds_it_alone(tmp_path):
    with held(tmp_path, "a" * 32), claim(tmp_path, "a" * 32) as second:
        assert not second


def test_a_claim_ends_with_its_process(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "True"
    with claim(tmp_path, "a" * 32) as is_held:
        assert not is_held
    process.send_signal(signal.SIGKILL)
    process.wait()
    with claim(tmp_path, "a" * 32) as is_held:
        assert is_held


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / CLAIMS).write_text("a file")
    with pytest.raises(StoreError, match="cannot be locked"), claim(tmp_path, "a" * 32):
        pass
