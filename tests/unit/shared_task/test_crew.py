from __future__ import annotations

import sys
import time

import pytest

from mibench.runner.executors.calls import Failed
from mibench.shared_task.crew import Here


@pytest.mark.parametrize(
    ("code", "failed"), [("sys.exit(143)", False), ("os.kill(os.getpid(), 15)", False), ("sys.exit(3)", True)]
)
def test_a_worker_that_was_asked_to_end_is_lost_and_did_not_fail(tmp_path, code, failed):
    (worker,) = Here([sys.executable, "-c", f"import os, sys; {code}"], 1, tmp_path / "log").start(1)
    end = time.monotonic() + 30
    while not worker.done() and time.monotonic() < end:
        time.sleep(0.01)
    lost = worker.lost()
    assert lost is not None
    assert isinstance(lost, Failed) == failed
    assert failed or lost.why == "It was ended by signal 15."
